"""Reads a delivery status notification from standard input as Python's email package sees it; prints JSON."""

import email
import email.policy
import json
import sys

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = list(message.iter_parts())
blocks = parts[1].get_payload()
original = parts[2].get_payload()


def fields(block):
    """Blanks around the kind of a value (`rfc822; address`) are as one likes (RFC 3464 section 2.1.2)."""
    return {name.lower(): str(value).replace("; ", ";", 1) for name, value in block.items()}


print(json.dumps({
    "type": message.get_content_type(),
    "report": message.get_param("report-type"),
    "to": message["To"],
    "auto": message["Auto-Submitted"],
    "defects": [str(defect) for part in message.walk() for defect in part.defects],
    "parts": [part.get_content_type() for part in parts],
    "words": parts[0].get_content(),
    "message": fields(blocks[0]),
    "recipients": [fields(block) for block in blocks[1:]],
    "subject": str(original[0]["Subject"]) if isinstance(original, list) else original,
}))
