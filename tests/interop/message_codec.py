"""Messages of any version by hand, from a description: dictionaries to bytes and back.

A kind is the name of a primitive (`"int32"`, `"string"`, `"bytes"`, `"uuid"`, which is 16 bytes, ...), a list of one kind for an array, or a tuple of Fields
for a struct. Strings, bytes and arrays may be None, which is null. Tagged fields are written empty and must arrive empty."""

import struct
from typing import Any, NamedTuple

LATEST = 99
NUMBERS = {"bool": ">?", "int8": ">b", "int16": ">h", "int32": ">i", "int64": ">q", "float64": ">d"}
PRESENT = object()  # a field without a default has to be given


class Field(NamedTuple):
    name: str
    kind: Any
    first: int = 0
    last: int = LATEST
    default: Any = PRESENT


class Api(NamedTuple):
    """`flexible`: the first version with compact lengths and tags."""
    name: str
    key: int
    flexible: int
    request: tuple
    response: tuple


def unsigned_varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def encode(kind, value, version, flexible):
    if isinstance(kind, tuple):
        out = b""
        for field in kind:
            if field.first <= version <= field.last:
                given = value.get(field.name, field.default)
                assert given is not PRESENT, f"{field.name} is missing"
                out += encode(field.kind, given, version, flexible)
        unknown = set(value) - {field.name for field in kind}
        assert not unknown, f"no such fields: {unknown}"
        return out + (b"\0" if flexible else b"")
    if isinstance(kind, list):
        body = b"".join(encode(kind[0], element, version, flexible) for element in value or [])
        return length(value, ">i", flexible) + body
    if kind in NUMBERS:
        return struct.pack(NUMBERS[kind], value)
    if kind == "uuid":
        assert len(value) == 16, value
        return value
    data = value.encode() if isinstance(value, str) else value
    return length(data, ">h" if kind == "string" else ">i", flexible) + (data or b"")


def length(value, layout, flexible):
    if flexible:
        return unsigned_varint(0 if value is None else len(value) + 1)
    return struct.pack(layout, -1 if value is None else len(value))


class Reader:
    """What is left of a response."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        assert 0 <= size <= self.left(), "the response ends too early"
        self.at += size
        return self.data[self.at - size:self.at]

    def unsigned_varint(self):
        number, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def length(self, layout, flexible):
        return self.unsigned_varint() - 1 if flexible else struct.unpack(layout, self.take(struct.calcsize(layout)))[0]


class Decoder(Reader):
    def __init__(self, data, version, flexible):
        super().__init__(data)
        self.version, self.flexible = version, flexible

    def decode(self, kind):
        if isinstance(kind, tuple):
            value = {field.name: self.decode(field.kind) for field in kind if field.first <= self.version <= field.last}
            if self.flexible:
                assert self.unsigned_varint() == 0, "tagged fields"
            return value
        if isinstance(kind, list):
            count = self.length(">i", self.flexible)
            return None if count < 0 else [self.decode(kind[0]) for _ in range(count)]
        if kind in NUMBERS:
            layout = NUMBERS[kind]
            return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        if kind == "uuid":
            return self.take(16)
        size = self.length(">h" if kind == "string" else ">i", self.flexible)
        data = None if size < 0 else self.take(size)
        return data.decode() if kind == "string" and data is not None else data


def encode_request(api, version, **fields):
    """What follows the client id of the header, whose tags are the first byte from the flexible versions on."""
    flexible = version >= api.flexible
    return (b"\0" if flexible else b"") + encode(api.request, fields, version, flexible)


def decode_response(api, version, data):
    """`data` begins behind the correlation id. All of it has to be used."""
    decoder = Decoder(data, version, version >= api.flexible)
    if decoder.flexible:
        assert decoder.unsigned_varint() == 0, "tagged fields of the header"
    value = decoder.decode(api.response)
    assert decoder.at == len(data), f"{len(data) - decoder.at} bytes too many"
    return value
