"""What a bad frame is answered: the close code, the exact reason, and the end."""

from __future__ import annotations

import struct
import zlib

import pytest

from raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, Raw, frame

MIB = 1 << 20


@pytest.fixture
def line(server):
    with Raw(server.port) as raw:
        raw.open("/echo")
        yield raw


@pytest.fixture
def chat(server):
    """/chat takes messages of a mebibyte, /echo of sixteen."""
    with Raw(server.port) as raw:
        response = raw.open("/chat", Sec_WebSocket_Extensions="permessage-deflate")
        assert "permessage-deflate" in response.headers["sec-websocket-extensions"]
        yield raw


def refused(raw: Raw) -> tuple[int, str]:
    """The close frame that refuses; nothing may follow but the end."""
    closed = raw.close_frame()
    raw.send(frame(CLOSE, struct.pack("!H", closed[0])))
    assert raw.ended(), "the server left the connection open"
    return closed


def test_an_unmasked_frame(line):
    line.send(frame(TEXT, b"hello", masked=False))
    assert refused(line) == (1002, "frame from client is not masked")


def test_rsv1_without_deflate(line):
    line.send(frame(TEXT, b"hello", rsv=0b100))
    assert refused(line) == (1002, "RSV1 set but no extension negotiated")


@pytest.mark.parametrize("rsv, bit", [(0b010, 2), (0b001, 3)])
def test_rsv2_and_rsv3_at_any_time(line, rsv, bit):
    line.send(frame(TEXT, b"hello", rsv=rsv))
    assert refused(line) == (1002, f"RSV{bit} set but no extension negotiated")


@pytest.mark.parametrize("opcode", [0x3, 0x7, 0xB, 0xF])
def test_a_reserved_opcode(line, opcode):
    line.send(frame(opcode))
    assert refused(line) == (1002, f"reserved opcode {opcode:#x}")


def test_a_ping_of_126_bytes(line):
    line.send(frame(PING, b"x" * 126))
    assert refused(line) == (1002, "control frame payload 126 > 125")


def test_a_fragmented_ping(line):
    line.send(frame(PING, b"x", fin=False))
    assert refused(line)[0] == 1002


def test_a_continuation_of_nothing(line):
    line.send(frame(CONTINUATION, b"more"))
    assert refused(line) == (1002, "continuation without a started message")


def test_a_message_within_a_message(line):
    line.send(frame(TEXT, b"one", fin=False) + frame(TEXT, b"two"))
    assert refused(line)[0] == 1002


def test_bad_utf8_names_its_place(line):
    line.send(frame(TEXT, b"seventeen letters" + b"\xff"))
    assert refused(line) == (1007, "invalid UTF-8 at byte 17")


def test_bad_utf8_is_refused_before_its_message_is_whole(line):
    line.send(frame(TEXT, b"seventeen", fin=False))
    line.send(frame(CONTINUATION, b" letters\xff", fin=False))
    assert refused(line) == (1007, "invalid UTF-8 at byte 17")


def test_bad_utf8_is_refused_before_its_frame_is_whole(line):
    line.send(frame(TEXT, b"ok\xff" + b"x" * 1000)[:16])
    assert refused(line) == (1007, "invalid UTF-8 at byte 2")


def test_text_that_ends_within_a_character(line):
    line.send(frame(TEXT, "€".encode()[:2]))
    assert refused(line)[0] == 1007


def test_a_message_over_the_limit(chat):
    chat.send(frame(TEXT, b"x" * (MIB + 1)))
    assert chat.close_frame() == (1009, "message exceeds 1048576 bytes")


def test_a_message_over_the_limit_is_refused_by_its_header(chat):
    chat.send(frame(BINARY, b"x" * (MIB + 1))[:14])
    assert refused(chat) == (1009, "message exceeds 1048576 bytes")


def test_fragments_that_add_up_to_more_than_the_limit(chat):
    chat.send(frame(TEXT, b"x" * MIB, fin=False) + frame(CONTINUATION, b"x", fin=False))
    assert chat.close_frame() == (1009, "message exceeds 1048576 bytes")


def test_a_message_that_inflates_over_the_limit(chat):
    """64 MiB of zeros in 64 KiB."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = bomb.compress(bytes(64 * MIB)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    chat.send(frame(TEXT, data.removesuffix(b"\x00\x00\xff\xff"), rsv=0b100))
    assert chat.close_frame() == (1009, "decompressed message exceeds 1048576 bytes")


def test_a_compressed_message_that_does_not_inflate(chat):
    chat.send(frame(TEXT, b"\xff\xff\xff\xff", rsv=0b100))
    assert refused(chat)[0] == 1007


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_close_code_that_may_not_be_sent(line, code):
    line.send(frame(CLOSE, struct.pack("!H", code)))
    assert refused(line)[0] == 1002


def test_a_close_frame_of_one_byte(line):
    line.send(frame(CLOSE, b"\x03"))
    assert refused(line)[0] == 1002


@pytest.mark.parametrize("code", [1000, 1001, 1007, 3000, 4999])
def test_a_lawful_close_gets_the_same_code_and_reason_and_the_end(line, code):
    line.send(frame(CLOSE, struct.pack("!H", code) + b"the reason"))
    assert line.close_frame() == (code, "the reason")
    assert line.ended()


def test_an_empty_close_gets_an_empty_close_and_the_end(line):
    line.send(frame(CLOSE))
    assert line.frame() == (CLOSE, b"")
    assert line.ended()


def test_nothing_is_read_behind_a_close(line):
    line.send(frame(CLOSE, struct.pack("!H", 1000)) + frame(TEXT, b"too late"))
    assert line.frame()[0] == CLOSE
    assert line.ended()


@pytest.mark.parametrize("length", [5, 125])
def test_a_length_that_is_not_the_shortest(line, length):
    line.send(bytes([0x81, 0x80 | 126]) + struct.pack("!H", length) + bytes(4) + b"x" * length)
    assert refused(line)[0] == 1002


def test_a_length_with_its_top_bit_set(line):
    line.send(bytes([0x82, 0x80 | 127]) + struct.pack("!Q", 1 << 63) + bytes(4))
    assert refused(line)[0] == 1002


def test_the_server_goes_on_serving_others(line, server):
    line.send(frame(0x3))
    refused(line)
    with Raw(server.port) as other:
        other.open("/echo")
        other.send(frame(TEXT, b"still here"))
        assert other.frame() == (TEXT, b"still here")
