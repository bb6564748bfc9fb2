"""Looks at a description of an API and at answers with the eyes of OpenAPI's and JSON Schema's own
validators. Takes {"description": ..., "answers": [{"path", "schema", "answer"}]} on its input."""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

asked = json.load(sys.stdin)
description = asked["description"]
validate(description)
wrong = 0
for one in asked["answers"]:
    # References of the description lead to its components; they lead there from here, too.
    schema = {**one["schema"], "components": description["components"]}
    checks = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in checks.iter_errors(one["answer"]):
        wrong += 1
        print(f"{one['path']}: {error.json_path}: {error.message[:300]}", file=sys.stderr)
sys.exit(1 if wrong else 0)
