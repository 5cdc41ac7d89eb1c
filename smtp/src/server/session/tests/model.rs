//! S10: sessions of random commands against a model of the few words that matter.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Word {
    Ehlo,
    Mail,
    Rcpt,
    RcptNobody,
    Data,
    BadData,
    Chunk,
    LastChunk,
    Rset,
    Noop,
    StartTls,
}

#[derive(Default)]
struct Model {
    greeted: bool,
    tls: bool,
    mail: bool,
    recipients: usize,
    chunking: bool,
    refused: bool,
    taken: usize,
}

impl Model {
    fn forget(&mut self) {
        (self.mail, self.recipients, self.chunking, self.refused) = (false, 0, false, false);
    }

    fn expect(&mut self, word: Word) -> &'static str {
        let content_is_legal = self.mail && self.recipients > 0;
        match word {
            Word::Ehlo => {
                self.forget();
                self.greeted = true;
                "250"
            }
            Word::Noop => "250",
            Word::Rset => {
                self.forget();
                "250"
            }
            Word::StartTls if self.greeted && !self.mail && !self.tls => {
                (self.tls, self.greeted) = (true, false);
                "220"
            }
            Word::Mail if self.greeted && !self.mail => {
                self.mail = true;
                "250"
            }
            Word::Rcpt if self.mail && !self.chunking => {
                self.recipients += 1;
                "250"
            }
            Word::RcptNobody if self.mail && !self.chunking => {
                self.refused = true;
                "550"
            }
            Word::Data | Word::BadData if content_is_legal && !self.chunking => {
                self.forget();
                if matches!(word, Word::Data) {
                    self.taken += 1;
                    "354 250"
                } else {
                    "354 550"
                }
            }
            Word::Data | Word::BadData if self.mail && !self.chunking && self.refused => "554 ",
            Word::Data | Word::BadData => "503 ",
            Word::Chunk if content_is_legal => {
                self.chunking = true;
                "250"
            }
            Word::LastChunk if content_is_legal => {
                self.taken += 1;
                self.forget();
                "250"
            }
            Word::Chunk | Word::LastChunk => {
                let code = if self.mail && self.refused && !self.chunking { "554" } else { "503" };
                self.forget();
                code
            }
            _ => "503",
        }
    }
}

fn say(server: &mut Server, word: Word) -> String {
    match word {
        Word::Ehlo => server.say("EHLO a\r\n"),
        Word::Mail => server.say("MAIL FROM:<a@b.example>\r\n"),
        Word::Rcpt => server.say("RCPT TO:<c@d.example>\r\n"),
        Word::RcptNobody => server.say("RCPT TO:<nobody@d.example>\r\n"),
        Word::Data | Word::BadData => {
            let first = server.say("DATA\r\n");
            let text = if matches!(word, Word::Data) { "S: x\r\n\r\n.\r\n" } else { "S: x\n\r\n.\r\n" };
            let second = if first == "354" { server.say(text) } else { String::new() };
            format!("{first} {second}")
        }
        Word::Chunk => server.say("BDAT 3\r\nx\r\n"),
        Word::LastChunk => server.say("BDAT 3 LAST\r\nx\r\n"),
        Word::Rset => server.say("RSET\r\n"),
        Word::Noop => server.say("NOOP\r\n"),
        Word::StartTls => server.say("STARTTLS\r\n"),
    }
}

proptest! {
    #[test]
    fn s10_any_order_of_commands_is_answered_as_the_model_says(choices in proptest::collection::vec(0usize..11, 0..60)) {
        const WORDS: [Word; 11] = [
            Word::Ehlo, Word::Mail, Word::Rcpt, Word::RcptNobody, Word::Data, Word::BadData, Word::Chunk,
            Word::LastChunk, Word::Rset, Word::Noop, Word::StartTls,
        ];
        let limits = Limits { errors: 1000, junk_commands: 1000, ..Limits::default() };
        let mut server = Server::new(limits, |_| {});
        let mut model = Model::default();
        for choice in choices {
            let expected = model.expect(WORDS[choice]);
            prop_assert_eq!(say(&mut server, WORDS[choice]), expected, "{:?}", WORDS[choice]);
            prop_assert_eq!(server.taken.len(), model.taken);
        }
    }

    #[test]
    fn no_bytes_panic_in_any_state(bytes in proptest::collection::vec(any::<u8>(), 0..200), state in 0usize..4) {
        let mut server = Server::plain();
        for words in ["EHLO a\r\n", "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", "DATA\r\n"].iter().take(state) {
            server.say(words);
        }
        server.say(&bytes);
        server.say("\r\n.\r\nQUIT\r\n");
    }
}
