# Copyright The Ticketflow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs a script with the globals that scripts of the older system expect.

What a script raises is told as it was there: by its text alone. With
TICKETFLOW_TRACEBACK in its environment, a script tells where it happened, too.
"""

import os
import runpy
import sys

sys.argv = sys.argv[1:]
sys.path[0] = os.getcwd()
try:
    runpy.run_path(
        sys.argv[0],
        init_globals={
            "ticket_id": int(os.environ["TICKETFLOW_TICKET_ID"]),
            "action_from": os.environ["TICKETFLOW_ACTION_FROM"],
        },
        run_name="__main__",
    )
except Exception as fault:
    if os.environ.get("TICKETFLOW_TRACEBACK"):
        raise
    sys.exit(str(fault) or type(fault).__name__)
