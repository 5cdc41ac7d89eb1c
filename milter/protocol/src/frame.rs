//! A frame: four octets of length, one of code, and what belongs to the code.
//!
//! [`take`] parts frames from what was read, [`put`] writes one. The length a peer announces is held against a cap
//! as soon as its four octets are here, and nothing is made room for by it: the buffer grows with what comes.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The most octets that a frame may announce: one megabyte of data, less one octet for the code. It is what the
/// largest of the negotiated data sizes comes to ([`crate::negotiate::DataSize::OneMegabyte`]).
pub const LARGEST: usize = 1 << 20;

/// What both sides keep to unless a larger data size was negotiated: octets of data behind the code.
pub const USUAL_DATA: usize = 65_535;

const LENGTH_OCTETS: usize = 4;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which command or response it is.
    pub code: u8,
    /// What belongs to it.
    pub payload: Bytes,
}

/// What no frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Its length is zero: not even a code.
    #[error("a frame of no octets, so without a code")]
    Empty,
    /// Its length is over the cap.
    #[error("a frame that announces {octets} octets, where {cap} is the most")]
    TooLong {
        /// As announced.
        octets: usize,
        /// The most.
        cap: usize,
    },
}

/// Parts the next frame from `input`; `None` when it is not all here yet.
///
/// # Errors
/// When what stands there can become no frame. `input` is left as it is: there is no way on from here.
pub fn take(input: &mut BytesMut, cap: usize) -> Result<Option<Frame>, FrameError> {
    let Some(length) = input.first_chunk::<LENGTH_OCTETS>() else { return Ok(None) };
    let octets = u32::from_be_bytes(*length) as usize;
    if octets == 0 {
        return Err(FrameError::Empty);
    }
    if octets > cap {
        return Err(FrameError::TooLong { octets, cap });
    }
    let Some(code) = input.get(LENGTH_OCTETS).copied() else { return Ok(None) };
    if input.len() - LENGTH_OCTETS < octets {
        return Ok(None);
    }
    input.advance(LENGTH_OCTETS + 1);
    // Most answers are a code and no more: they share nothing, so what they came in can be read into again.
    let payload = if octets == 1 { Bytes::new() } else { input.split_to(octets - 1).freeze() };
    Ok(Some(Frame { code, payload }))
}

/// Writes a frame whose payload `write` appends.
pub fn put(output: &mut BytesMut, code: u8, write: impl FnOnce(&mut BytesMut)) {
    let start = output.len();
    output.put_u32(0);
    output.put_u8(code);
    write(output);
    let octets = output.len() - start - LENGTH_OCTETS;
    debug_assert!(octets <= LARGEST, "whoever writes a frame keeps its parts small: {octets}");
    let length = u32::try_from(octets).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = output.get_mut(start..start + LENGTH_OCTETS) {
        place.copy_from_slice(&length);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(code: u8, payload: &[u8]) -> BytesMut {
        let mut output = BytesMut::new();
        put(&mut output, code, |payload_of| payload_of.extend_from_slice(payload));
        output
    }

    #[test]
    fn m3_lengths_that_lie_are_refused_before_anything_is_kept() {
        for (length, expected) in [
            (0, FrameError::Empty),
            (LARGEST as u32 + 1, FrameError::TooLong { octets: LARGEST + 1, cap: LARGEST }),
            (1 << 31, FrameError::TooLong { octets: 1 << 31, cap: LARGEST }),
            (u32::MAX, FrameError::TooLong { octets: u32::MAX as usize, cap: LARGEST }),
        ] {
            let mut input = BytesMut::from(&length.to_be_bytes()[..]);
            assert_eq!(take(&mut input, LARGEST), Err(expected), "{length}");
            assert!(input.capacity() <= 64, "{length}: {} octets kept", input.capacity());
        }
    }

    #[test]
    fn m3_a_frame_cut_at_each_octet_waits_for_the_rest() {
        let whole = framed(b'H', b"mail.example\0");
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            assert_eq!(take(&mut input, LARGEST), Ok(None), "{cut}");
            input.extend_from_slice(&whole[cut..]);
            let frame = take(&mut input, LARGEST).unwrap().unwrap();
            assert_eq!((frame.code, &frame.payload[..], input.len()), (b'H', &b"mail.example\0"[..], 0));
        }
    }

    #[test]
    fn a_frame_of_a_code_alone() {
        let mut input = framed(b'Q', b"");
        assert_eq!(input, [0, 0, 0, 1, b'Q'].as_slice());
        assert_eq!(take(&mut input, 1), Ok(Some(Frame { code: b'Q', payload: Bytes::new() })));
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(frames: Vec<(u8, Vec<u8>)>) {
            let mut input = BytesMut::new();
            for (code, payload) in &frames {
                input.extend_from_slice(&framed(*code, payload));
            }
            for (code, payload) in frames {
                let frame = take(&mut input, LARGEST).unwrap().unwrap();
                prop_assert_eq!((frame.code, frame.payload.to_vec()), (code, payload));
            }
            prop_assert_eq!(take(&mut input, LARGEST), Ok(None));
        }
    }
}
