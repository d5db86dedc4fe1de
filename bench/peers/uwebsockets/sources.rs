//! Empty. This package names the sources of uWebSockets, which `harness/uwebsockets.py` compiles with `server.cpp`.
