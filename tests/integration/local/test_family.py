"""Who descends from a process, and who lives."""

import os
import subprocess
import sys

from pushjobs.local.family import alive, descendants
from tests.integration.local.conftest import Eventually

HAVE_A_CHILD = "import subprocess; subprocess.run(['sleep', '60'])"


def test_children_s_children_descend_until_they_die(eventually: Eventually) -> None:
    """Both generations are found, and the dead are not, though nobody has asked about them yet."""
    with subprocess.Popen([sys.executable, "-c", HAVE_A_CHILD]) as parent:
        eventually(lambda: len(descendants(parent.pid)) == 1, "the child has a child")
        family = {parent.pid} | descendants(parent.pid)
        assert family <= descendants(os.getpid())
        assert alive(family) == family
        for pid in family:
            os.kill(pid, 9)
        eventually(lambda: not alive(family), "both are dead, the one as a zombie")
        assert parent.returncode is None
