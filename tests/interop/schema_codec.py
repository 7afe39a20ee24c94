"""Messages of any API in any version, from the schemas of protocol/: dictionaries to bytes and back."""

import glob
import os
import struct

import yaml

import broker as brokers
from message_codec import NUMBERS, Reader, unsigned_varint

ALL = {**NUMBERS, "uint16": ">H", "uint32": ">I"}
NEVER = range(0)


def version_range(text):
    text = str(text)
    if text == "none":
        return NEVER
    first, _, last = text.rstrip("+").partition("-")
    return range(int(first), 1 << 15 if text.endswith("+") else int(last or first) + 1)


class Codec:
    """Of a request or a response."""

    def __init__(self, schema):
        self.fields = schema["fields"]
        self.versions = version_range(schema["versions"])
        self.flexible = version_range(schema["flexible"])
        self.structs = {entry["name"]: entry["fields"] for entry in schema.get("structs", [])}

    def fields_of(self, field):
        return field.get("fields") or self.structs[field["type"].removeprefix("[]")]

    def wire_fields(self, fields, version):
        """(those in their order, those with a tag)"""
        there = [field for field in fields if version in version_range(field["versions"])]
        tagged = [field for field in there if version in version_range(field.get("tagged", "none"))]
        return [field for field in there if field not in tagged], tagged

    # --- encoding ------------------------------------------------------------------------------------------------------
    def encode(self, value, version):
        return self.encode_struct(self.fields, value, version)

    def encode_struct(self, fields, value, version):
        plain, tagged = self.wire_fields(fields, version)
        unknown = set(value) - {field["name"] for field in fields}
        assert not unknown, unknown
        out = b"".join(self.encode_field(field, self.given(field, value), version) for field in plain)
        if version in self.flexible:
            given = [(field["tag"], self.encode_field(field, value[field["name"]], version)) for field in tagged if field["name"] in value]
            out += unsigned_varint(len(given))
            for tag, data in sorted(given):
                out += unsigned_varint(tag) + unsigned_varint(len(data)) + data
        return out

    @staticmethod
    def given(field, value):
        if field["name"] in value:
            return value[field["name"]]
        if "default" in field:
            return field["default"]
        kind = field["type"]
        return [] if kind.startswith("[]") else "" if kind == "string" else b"" if kind in ("bytes", "records") else \
            bytes(16) if kind == "uuid" else False if kind == "bool" else 0 if kind in ALL else {}

    def encode_field(self, field, value, version):
        kind, flexible = field["type"], version in self.flexible
        if kind.startswith("[]"):
            element = {**field, "type": kind[2:], "nullable": "none"}
            return self.length(value, ">i", flexible) + b"".join(self.encode_field(element, one, version) for one in value or [])
        if kind in ALL:
            return struct.pack(ALL[kind], value)
        if kind == "uuid":
            return value
        if kind in ("string", "bytes", "records"):
            data = value.encode() if isinstance(value, str) else value
            return self.length(data, ">h" if kind == "string" else ">i", flexible) + (data or b"")
        present = b""
        if version in version_range(field.get("nullable", "none")):
            if value is None:
                return b"\xff"
            present = b"\1"
        return present + self.encode_struct(self.fields_of(field), value, version)

    @staticmethod
    def length(value, layout, flexible):
        if flexible:
            return unsigned_varint(0 if value is None else len(value) + 1)
        return struct.pack(layout, -1 if value is None else len(value))

    # --- decoding ------------------------------------------------------------------------------------------------------
    def decode(self, data, version):
        """All of the data has to be used."""
        reader = Reader(data)
        value = self.decode_struct(self.fields, reader, version)
        assert not reader.left(), f"{reader.left()} bytes too many"
        return value

    def decode_struct(self, fields, reader, version):
        plain, tagged = self.wire_fields(fields, version)
        value = {field["name"]: self.decode_field(field, reader, version) for field in plain}
        if version in self.flexible:
            by_tag = {field["tag"]: field for field in tagged}
            for _ in range(reader.unsigned_varint()):
                tag, data = reader.unsigned_varint(), Reader(reader.take(reader.unsigned_varint()))
                if tag in by_tag:
                    value[by_tag[tag]["name"]] = self.decode_field(by_tag[tag], data, version)
                else:
                    value[f"tag {tag}"] = data.take(data.left())
                assert not data.left()
        return value

    def decode_field(self, field, reader, version):
        kind, flexible = field["type"], version in self.flexible
        if kind.startswith("[]"):
            count = reader.length(">i", flexible)
            element = {**field, "type": kind[2:], "nullable": "none"}
            return None if count < 0 else [self.decode_field(element, reader, version) for _ in range(count)]
        if kind in ALL:
            return struct.unpack(ALL[kind], reader.take(struct.calcsize(ALL[kind])))[0]
        if kind == "uuid":
            return reader.take(16)
        if kind in ("string", "bytes", "records"):
            size = reader.length(">h" if kind == "string" else ">i", flexible)
            data = None if size < 0 else reader.take(size)
            return data.decode() if kind == "string" and data is not None else data
        if version in version_range(field.get("nullable", "none")) and reader.take(1) == b"\xff":
            return None
        return self.decode_struct(self.fields_of(field), reader, version)


class Api:
    def __init__(self, schema):
        self.name, self.key = schema["api"], schema["key"]
        self.request, self.response = Codec(schema["request"]), Codec(schema["response"])

    def ask(self, version, value):
        """What follows the client id of the header."""
        return (b"\0" if version in self.request.flexible else b"") + self.request.encode(value, version)

    def answer(self, version, data):
        """`data` begins behind the correlation id."""
        if version in self.response.flexible and self.name != "ApiVersions":
            assert data[:1] == b"\0", "tagged fields of the header"
            data = data[1:]
        return self.response.decode(data, version)


def load():
    """{name: Api}"""
    apis = {}
    for path in glob.glob(os.path.join(brokers.ROOT, "protocol", "schemas", "messages", "*.yaml")):
        with open(path, encoding="utf-8") as file:
            schema = yaml.safe_load(file)
        apis[schema["api"]] = Api(schema)
    return apis
