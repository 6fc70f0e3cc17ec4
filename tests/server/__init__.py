"""A Codabench for tests: real HTTP on loopback that answers as the recordings do.

    Platform          the running server: two addresses (API, storage), the world, the faults
    Fault             what goes wrong with which request
    lives             how a submission's statuses follow each other
"""

from server.http import Fault, Platform

__all__ = ["Fault", "Platform"]
