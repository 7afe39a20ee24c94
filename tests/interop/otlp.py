"""OpenTelemetry's metrics (OTLP, protobuf) by hand."""

import struct

from message_codec import unsigned_varint as varint


def part(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(field, key, value):
    return part(field, part(1, key.encode()) + part(2, part(1, value.encode())))


def point(value, **attributes):
    return part(1, varint(4 << 3 | 1) + struct.pack("<d", value) + b"".join(attribute(7, *one) for one in attributes.items()))


def gauge(name, *points):
    return part(2, part(1, name.encode()) + part(5, b"".join(points)))


def counter(name, value):
    """What came since the last push."""
    return part(2, part(1, name.encode()) + part(7, point(value) + varint(2 << 3) + b"\1" + varint(3 << 3) + b"\1"))


def metrics_data(*metrics, **resource):
    return part(1, part(1, b"".join(attribute(1, *one) for one in resource.items())) + part(2, b"".join(metrics)))
