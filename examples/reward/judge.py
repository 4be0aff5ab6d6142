"""What a short confirmation is worth that leaves nothing out: a quarter for each fact of the request,
less where it is longer than eight words. A line of JSON in, a line of JSON out."""
import json
import re
import sys

NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()


def facts(request):
    words = re.findall(r"\w+", request)
    people = [str(NUMBERS.index(word) + 2) for word in words if word in NUMBERS]
    when = [word for word in words if word.endswith("day") or word in ("morning", "noon", "evening", "night")]
    return people + when + re.findall(r"(?:an?|one) (\w+)", request)[:1]


for line in sys.stdin:
    asked = json.loads(line)
    said = re.findall(r"\w+", asked["answer"])
    wanted = facts(asked["messages"][-1]["content"])
    worth = sum(fact in said for fact in wanted) / max(1, len(wanted)) - 0.1 * max(0, len(said) - 8)
    print(json.dumps({"reward": worth}), flush=True)
