"""The one logger of the product. `usernym.log` says where its lines go; every layer may write to it.

Names of actors, kinds of messages, codes and counts go here. Never a name of a user, a tag, a key, an address or a
text.
"""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("usernym")
"""Everything that the product logs goes through this logger, or through a child of it."""
