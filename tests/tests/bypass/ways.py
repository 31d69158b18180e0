"""Ways to get a packet to another host. Each does what it says, or prints why the kernel did not let it.

usage: ways.py WAY IPV4 IPV6 PORT CGROUP_TO_MOVE_TO
"""

import ctypes
import mmap
import os
import socket
import struct
import subprocess
import sys
import time

WAY, V4, V6, PORT, MOVE_TO = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
MAPPED = "::ffff:" + V4
# As a node's own resolver is called.
RESOLVER = "127.0.0.53"
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, IP_HDRINCL, UDPLITE, MPTCP = 0x20000000, 30, 3, 136, 262
libc = ctypes.CDLL(None, use_errno=True)


def tcp(family=socket.AF_INET, protocol=0):
    s = socket.socket(family, socket.SOCK_STREAM, protocol)
    s.settimeout(3)
    return s


def talk(s, to):
    """Connects, says something, and waits for the other side's end."""
    s.connect(to)
    s.sendall(b"out")
    s.recv(1)


def move():
    with open(MOVE_TO + "/cgroup.procs", "w") as procs:
        procs.write("0")


def tcp4():
    talk(tcp(), (V4, PORT))


def tcp6():
    talk(tcp(socket.AF_INET6), (V6, PORT))


def tcp_mapped():
    talk(tcp(socket.AF_INET6), (MAPPED, PORT))


def tcp_nonblocking():
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((V4, PORT))
    time.sleep(0.3)


def tcp_bound():
    s = tcp()
    s.bind(("", 0))
    talk(s, (V4, PORT))


def tcp_bound_address():
    s = tcp()
    route = subprocess.run(["ip", "-o", "route", "get", V4], capture_output=True, text=True, check=True).stdout
    s.bind((route.split(" src ")[1].split()[0], 0))
    talk(s, (V4, PORT))


def tcp_mapped_bound_address():
    s = tcp(socket.AF_INET6)
    s.bind(("::ffff:" + source()[1], 0))
    talk(s, (MAPPED, PORT))


def tcp_bound_loopback():
    s = tcp()
    s.bind(("127.0.0.1", 0))
    talk(s, (V4, PORT))


def tcp_mapped_bound_loopback():
    s = tcp(socket.AF_INET6)
    s.bind(("::ffff:127.0.0.1", 0))
    talk(s, (MAPPED, PORT))


def tcp_device():
    s = tcp()
    route = subprocess.run(["ip", "-o", "route", "get", V4], capture_output=True, text=True, check=True).stdout
    device = route.split(" dev ")[1].split()[0]
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    talk(s, (V4, PORT))


def fastopen():
    s = tcp()
    s.sendto(b"out", MSG_FASTOPEN, (V4, PORT))
    s.recv(1)


def fastopen6():
    s = tcp(socket.AF_INET6)
    s.sendto(b"out", MSG_FASTOPEN, (V6, PORT))
    s.recv(1)


def fastopen_connect():
    s = tcp()
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    talk(s, (V4, PORT))


def mptcp():
    talk(tcp(protocol=MPTCP), (V4, PORT))


def again():
    """The second connect of one socket, after it was dissolved by AF_UNSPEC."""
    s = tcp()
    s.connect_ex((V4, PORT))
    unspecified = struct.pack("H14x", socket.AF_UNSPEC)
    libc.connect(s.fileno(), unspecified, len(unspecified))
    talk(s, (V4, PORT))


def repair():
    """A socket in repair mode is established without a handshake; it may send at once."""
    s = tcp()
    s.setsockopt(socket.IPPROTO_TCP, 19, 1)
    s.connect((V4, PORT))
    s.setsockopt(socket.IPPROTO_TCP, 19, 0)
    s.sendall(b"out")
    time.sleep(0.3)


def uring(sqpoll):
    """io_uring's connect, by its system calls: setup 425, enter 426."""
    s = socket.socket()
    params = bytearray(120)
    if sqpoll:
        struct.pack_into("I4xI", params, 8, 2, 1000)
    buffer = (ctypes.c_char * 120).from_buffer(params)
    ring = libc.syscall(425, 8, buffer)
    if ring < 0:
        sys.exit("io_uring_setup: errno %d" % ctypes.get_errno())
    (entries,) = struct.unpack_from("I", params, 0)
    sq_tail, sq_array = struct.unpack_from("I", params, 44)[0], struct.unpack_from("I", params, 64)[0]
    sq = mmap.mmap(ring, sq_array + entries * 4, offset=0)
    sqes = mmap.mmap(ring, entries * 64, offset=0x10000000)
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(PORT), socket.inet_aton(V4))
    held = ctypes.create_string_buffer(address, len(address))
    struct.pack_into("=BBHiQQIIQ", sqes, 0, 16, 0, 0, s.fileno(), len(address), ctypes.addressof(held), 0, 0, 1)
    struct.pack_into("I", sq, sq_array, 0)
    struct.pack_into("I", sq, sq_tail, 1)
    libc.syscall(426, ring, 1, 0 if sqpoll else 1, 3 if sqpoll else 1, None, 0)
    time.sleep(0.5)


def uring_connect():
    uring(False)


def uring_sqpoll():
    uring(True)


def source():
    """The device and the address that lead to the other host."""
    route = subprocess.run(["ip", "-o", "route", "get", V4], capture_output=True, text=True, check=True).stdout
    return route.split(" dev ")[1].split()[0], route.split(" src ")[1].split()[0]


def by_segments(s):
    """A segment routing header (IPV6_RTHDR, type 4): by the other host, wherever the connection goes. No privilege."""
    segments = 2 * socket.inet_pton(socket.AF_INET6, V6)
    s.setsockopt(socket.IPPROTO_IPV6, 57, struct.pack("BBBBBBH", 0, 4, 4, 1, 1, 0, 0) + segments)


def by_options(s):
    """A loose source route (IP_OPTIONS): by the other host."""
    s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, struct.pack("BBBB4s", 1, 131, 7, 4, socket.inet_aton(V4)))


def say(s):
    """Says something whatever the other side does, and gives it time to leave."""
    try:
        s.sendall(b"out")
    finally:
        time.sleep(0.3)


def segments():
    s = tcp(socket.AF_INET6)
    by_segments(s)
    talk(s, (V6, PORT))


def segments_after():
    s = tcp(socket.AF_INET6)
    s.connect((V6, PORT))
    by_segments(s)
    say(s)


def source_route():
    s = tcp()
    by_options(s)
    talk(s, (V4, PORT))


def source_route_after():
    s = tcp()
    s.bind((source()[1], 0))
    s.connect((V4, PORT))
    by_options(s)
    # The route is looked up anew.
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    say(s)


def device_after():
    device, address = source()
    s = tcp()
    s.bind((address, 0))
    s.connect((V4, PORT))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    say(s)


def device_after_made_outside():
    s = tcp()
    move()
    device, address = source()
    s.bind((address, 0))
    s.connect((V4, PORT))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    say(s)


def udp4():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", (V4, PORT))


def udp6():
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"out", (V6, PORT))


def udp_mapped():
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"out", (MAPPED, PORT))


def udp_connected():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((V4, PORT))
    s.send(b"out")


def udp6_connected():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.connect((V6, PORT))
    s.send(b"out")


def udp_device():
    """To this machine, and out of it by a device."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source()[1], 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source()[0].encode() + b"\0")
    s.sendto(b"out", (RESOLVER, PORT))
    time.sleep(0.3)


def udp_device_connected():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source()[1], 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source()[0].encode() + b"\0")
    s.connect((RESOLVER, PORT))
    s.send(b"out")
    time.sleep(0.3)


def udp_interface():
    """The device as the datagram's own: IP_PKTINFO."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source()[1], 0))
    info = struct.pack("=I4s4x", socket.if_nametoindex(source()[0]), socket.inet_aton(source()[1]))
    s.sendmsg([b"out"], [(socket.IPPROTO_IP, 8, info)], 0, (RESOLVER, PORT))
    time.sleep(0.3)


def udp_unicast_if():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source()[1], 0))
    s.setsockopt(socket.IPPROTO_IP, 50, struct.pack("!I", socket.if_nametoindex(source()[0])))
    s.sendto(b"out", (RESOLVER, PORT))
    time.sleep(0.3)


def udplite():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, UDPLITE).sendto(b"out", (V4, PORT))


def raw_udp():
    """A whole packet of our own making."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
    udp = struct.pack("!HHHH", 40000, PORT, 11, 0) + b"out"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\0" * 4, socket.inet_aton(V4))
    s.sendto(ip + udp, (V4, 0))


def raw_tcp():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    s.sendto(struct.pack("!HHIIBBHHH", 40000, PORT, 1, 0, 0x50, 2, 1024, 0, 0), (V4, 0))


def ping():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, PORT) + b"out", (V4, 0))


def made_outside():
    s = tcp()
    move()
    talk(s, (V4, PORT))


def made_inside():
    s = tcp()
    move()
    talk(s, (V4, PORT))


def udp_made_inside():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    move()
    s.sendto(b"out", (V4, PORT))


def given_away():
    """A socket made inside is used by a process outside."""
    s = tcp()
    if os.fork() == 0:
        move()
        try:
            talk(s, (V4, PORT))
        finally:
            os._exit(0)
    os.wait()


def other_namespace():
    """A network namespace of its own, of which nobody has been told: nothing was executed in it."""
    libc.unshare(0x40000000)
    talk(tcp(), (V4, PORT))


try:
    globals()[WAY]()
    print("went through")
except OSError as error:
    print("refused:", error)
