# A terminal for a program: a pseudo-terminal in a session of its own. Lines of JSON on standard input say what its user
# does ({"type": "text"} or {"size": [rows, columns]}); what the terminal shows goes to standard output. Ends as the
# program does. Arguments: rows, columns, the program and its arguments.
import fcntl, json, os, pty, select, struct, sys, termios

rows, columns, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]


def resize(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


child, master = pty.fork()
if child == 0:
    sys.stdin.readline()  # until the size is set
    os.execvp(command[0], command)
attributes = termios.tcgetattr(master)
attributes[3] &= ~termios.ECHO
termios.tcsetattr(master, termios.TCSANOW, attributes)
resize(rows, columns)
os.write(master, b"\n")
pending, sources = b"", [0, master]
while True:
    ready, _, _ = select.select(sources, [], [])
    if master in ready:
        try:
            shown = os.read(master, 65536)
        except OSError:
            break
        if not shown:
            break
        os.write(1, shown)
    if 0 in ready:
        got = os.read(0, 65536)
        if not got:
            sources.remove(0)
        pending += got
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            what = json.loads(line)
            if "type" in what:
                os.write(master, what["type"].encode())
            else:
                resize(*what["size"])
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
