"""`openapi.yaml`: as written, as JSON, and as Connexion's specification with its references resolved."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification
from jsonschema import ValidationError

from handlers.contract.errors import ContractError
from handlers.contract.schemas import draft4
from handlers.contract.validator import Validator

# A Path Item Object (OpenAPI 3.0.3, section 4.7.9) has other members too.
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
CONTRACT_FILE = Path(__file__).parents[2] / "openapi.yaml"


class Vocabulary(NamedTuple):
    """The methods and headers that the operations declare, taken together; methods are in lower case."""

    methods: set[str]
    request_headers: set[str]
    response_headers: set[str]


class Contract:
    """The contract: the documents that the service serves, and the specification that it compiles."""

    def __init__(self, source: bytes) -> None:
        """Read an OpenAPI 3.0 document in YAML. Raises ContractError for anything else."""
        self.yaml = source
        try:
            document = yaml.load(source, yaml.CSafeLoader)
            self.json = orjson.dumps(document)
            # From a dict: Connexion would run a file through Jinja2.
            self.specification = Specification.load(document)
        except (yaml.YAMLError, orjson.JSONEncodeError, ValidationError, InvalidSpecification) as error:
            raise ContractError(f"{CONTRACT_FILE.name} is not an OpenAPI 3.0 document: {error}") from error

    def validator(self, name: str) -> Validator:
        """Return the validator of one of the contract's named schemas."""
        return Validator(draft4(self.specification["components"]["schemas"][name]))

    def paths(self) -> dict[str, set[str]]:
        """Return the methods of each path template, in lower case."""
        return {path: item.keys() & _METHODS for path, item in self.specification["paths"].items()}

    def vocabulary(self) -> Vocabulary:
        """Return the methods and headers that the contract declares, of all operations together."""
        declared = [(method, operation) for _, method, operation in operations(self.specification)]
        parts = [*self.specification["paths"].values(), *(operation for _, operation in declared)]
        parameters = [parameter for part in parts for parameter in part.get("parameters", ())]
        responses = [response for _, operation in declared for response in operation["responses"].values()]
        return Vocabulary(
            methods={method for method, _ in declared},
            request_headers={one["name"] for one in parameters if one["in"] == "header"},
            response_headers={name for response in responses for name in response.get("headers", ())},
        )


def operations(specification: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the path, the method and the declaration of every operation."""
    for path, item in specification["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation
