"""Hosts one Python application for nettool: started as a process, spoken to over inherited Unix sockets.

Standard library only, CPython 3.8 and later. fd 3 is the control stream, fd 4 and on carry requests.
"""

import sys

if sys.version_info < (3, 8):
    sys.stderr.write("Python 3.8 or later is needed, this is %s\n" % sys.version.split()[0])
    sys.exit(3)

if __name__ == "__main__":
    from nettool_host import boot

    # The application's folder takes the place of ours, as if Python had been started there.
    sys.path.pop(0)
    boot.main()
