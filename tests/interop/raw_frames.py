"""Requests and record batches by hand, right and wrong ones."""

import struct
import time
import zlib

INT16_STRING = struct.Struct(">h")


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def string(text):
    return INT16_STRING.pack(len(text)) + text.encode()


def varint(number):
    zigzag = (number << 1) ^ (number >> 31)
    out = b""
    while zigzag >= 0x80:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def batch(values, magic=2, crc=None, count=None, last_delta=None, attributes=0, length_change=0, timestamp_ms=None,
          producer=(-1, -1, -1), keys=None):
    """`producer`: id, epoch, first sequence. `keys`: of each value, which may then be None, a tombstone."""
    def sized(content):
        return varint(-1) if content is None else varint(len(content)) + content

    records = b""
    for delta, value in enumerate(values):
        key = keys[delta] if keys else None
        body = b"\0" + varint(0) + varint(delta) + sized(key) + sized(value) + varint(0)
        records += varint(len(body)) + body
    time_ms = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
    checked = struct.pack(">hiqqqhii", attributes, len(values) - 1 if last_delta is None else last_delta, time_ms, time_ms,
                          *producer, len(values) if count is None else count) + records
    after_length = struct.pack(">ibI", -1, magic, crc32c(checked) if crc is None else crc) + checked
    return struct.pack(">qi", 0, len(after_length) + length_change) + after_length


def old_message_set(value):
    """One message of format 1."""
    body = struct.pack(">bbq", 1, 0, int(time.time() * 1000)) + struct.pack(">i", -1) + struct.pack(">i", len(value)) + value
    message = struct.pack(">I", zlib.crc32(body)) + body
    return struct.pack(">qi", 0, len(message)) + message


def framed(frame):
    return struct.pack(">i", len(frame)) + frame


def request(key, version, body, correlation=77, client="raw"):
    """With a header of version 1: for versions that are not flexible."""
    return struct.pack(">hhi", key, version, correlation) + string(client) + body


def produce_body(topic, records, acks=-1, partition=0, timeout_ms=10_000):
    """Of Produce version 7."""
    return (INT16_STRING.pack(-1) + struct.pack(">hii", acks, timeout_ms, 1) + string(topic) +
            struct.pack(">iii", 1, partition, len(records)) + records)


def produce_answer(response, topic):
    """(error, base offset) of a Produce version 7 with one partition."""
    _, error, offset = struct.unpack_from(">ihq", response, 4 + 4 + 2 + len(topic) + 4)
    return error, offset
