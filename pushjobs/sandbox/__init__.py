"""Floor 3: the WeChat stand-in, the only fake of this project, and therefore a strict one.

It serves WeChat's paths with WeChat's answers and takes down what it receives: `serve` runs it here, `SandboxProcess`
in a process of its own, `SandboxClient` reads its log and arranges its world. It imports nothing of ours but the clock,
WeChat's tables of fields and codes, and its cipher, which is held to WeChat's own vectors: it must not agree with us by
sharing our code.
"""

from pushjobs.sandbox.client import SandboxClient
from pushjobs.sandbox.options import SandboxOptions, Settings
from pushjobs.sandbox.process import SandboxProcess
from pushjobs.sandbox.server import serve

__all__ = ["SandboxClient", "SandboxOptions", "SandboxProcess", "Settings", "serve"]
