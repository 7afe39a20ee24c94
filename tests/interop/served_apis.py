"""What a broker says it serves: one ApiVersions request, by hand."""

import socket
import struct
import sys


def exchange(connection, frame):
    connection.sendall(struct.pack(">i", len(frame)) + frame)
    return receive(connection)


def receive(connection):
    """One response frame, or None if the broker closed the connection."""
    data, wanted = b"", 4
    while len(data) < wanted:
        more = connection.recv(wanted - len(data))
        if not more:
            return None
        data += more
        if len(data) == 4:
            wanted = 4 + struct.unpack(">i", data)[0]
    return data[4:]


def connect(bootstrap, seconds=20):
    host, port = bootstrap.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), seconds)


def served_apis(bootstrap):
    """{API key: (lowest, highest version)}"""
    with connect(bootstrap) as connection:
        response = exchange(connection, struct.pack(">hhih4s", 18, 0, 1, 4, b"test"))
    correlation, error, count = struct.unpack_from(">ihi", response)
    assert (correlation, error) == (1, 0), response[:16]
    return {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", response[10:10 + 6 * count])}


if __name__ == "__main__":
    for api, versions in sorted(served_apis(sys.argv[1]).items()):
        print(api, *versions)
