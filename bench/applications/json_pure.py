"""json without its C half: encoder and scanner in Python."""

import json
import json.decoder
import json.encoder
import json.scanner

from inputs import words

from support import main

json.encoder.c_make_encoder = None
json.encoder.encode_basestring_ascii = json.encoder.py_encode_basestring_ascii


class Decoder(json.JSONDecoder):
    def __init__(self):
        super().__init__()
        self.parse_string = json.decoder.py_scanstring
        self.scan_once = json.scanner.py_make_scanner(self)


def run(n):
    """n documents there and back; characters."""
    total, decoder = 0, Decoder()
    encoder = json.JSONEncoder(sort_keys=True)
    for i in range(n):
        data = {"list": list(range(30)), "words": words(20, i), "nested": [{"a": k / 7, "b": None, "c": [True]} for k in range(10)]}
        text = "".join(encoder.iterencode(data))
        assert decoder.decode(text) == data
        total += len(text)
    return total


main(run)
