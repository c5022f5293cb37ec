"""Threads of the system, also where an application has gevent or eventlet put their own in their place.

What is named here is taken before the application is loaded. A thread that waits for the front would hold up every
greenlet of its process if it were one of them.
"""

import threading
from _thread import allocate_lock, start_new_thread
from time import sleep

__all__ = ("allocate_lock", "sleep", "start", "start_new_thread")


def start(work, name):
    """Runs work in a thread; what is returned waits for its end."""
    over = allocate_lock()
    over.acquire()

    def run():
        threading.current_thread().name = name
        try:
            work()
        finally:
            over.release()

    start_new_thread(run, ())
    return over.acquire
