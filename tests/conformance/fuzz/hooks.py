"""The one check that schemathesis makes here: no answer is a fault of the server's own.

Its own check for GraphQL, not_a_server_error, takes every `errors` for a fault, also those that tell a caller what to mend.
"""

import schemathesis

FAULTS = {"INTERNAL", "UNAVAILABLE"}


@schemathesis.check
def no_fault(ctx, response, case):
    assert response.status_code < 500, f"status {response.status_code}: {response.text[:500]}"
    answer = response.json()
    # An error without a code is told by its words.
    codes = {(error.get("extensions") or {}).get("code") or error["message"] for error in answer.get("errors") or []}
    assert not codes & FAULTS, response.text[:500]
    with open("answers", "a", encoding="utf-8") as answers:
        told = ", ".join(sorted(codes)) or "data"
        answers.write(f"{response.status_code} {told[:100]}\n".replace("\n", " ").rstrip() + "\n")
