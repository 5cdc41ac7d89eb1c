# Says whether dkimpy verifies a message against a public key (DER) that stands in for the DNS.
import base64
import sys

import dkim

message = open(sys.argv[1], "rb").read()
key = base64.b64encode(open(sys.argv[2], "rb").read())
print(dkim.verify(message, dnsfunc=lambda name, timeout=5: b"v=DKIM1; k=rsa; p=" + key))
