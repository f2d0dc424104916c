"""The value-added services of ISO 15118-2: of certificates, and a way to the internet.

The charge service is no such service; it is always there.
"""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    Parameter,
    ParameterSet,
    SelectedService,
    Service,
    ServiceCategory,
    ServiceList,
    ServiceParameterList,
)
from pilothat.v2g.secc.iso2_answers import CHARGE_SERVICE_ID

CERTIFICATE_ID, INTERNET_ID = 2, 3
INSTALLATION, UPDATE = 1, 2  # parameter sets of the certificate service
CERTIFICATES: Mapping[int, str] = {INSTALLATION: "Installation", UPDATE: "Update"}
# parameter sets of the internet service: protocol and port
INTERNET: Mapping[int, tuple[str, int]] = {
    1: ("ftp", 20),
    2: ("ftp", 21),
    3: ("http", 80),
    4: ("https", 443),
}
_CATEGORY = {
    CERTIFICATE_ID: ServiceCategory.ContractCertificate,
    INTERNET_ID: ServiceCategory.Internet,
}


class Services:
    """What a station offers on one connection.

    has_certificates: cars get contracts here
    internet: parameter sets of ``INTERNET`` that work; empty offers no way out
    """

    def __init__(self, internet: tuple[int, ...] = ()) -> None:
        self.has_certificates = False
        self._internet = internet

    def sets(self, service_id: int) -> ServiceParameterList | None:
        """Return the parameter sets of a service; None if it is not offered."""
        if service_id == CERTIFICATE_ID and self.has_certificates:
            made = [_certificate(number) for number in CERTIFICATES]
        elif service_id == INTERNET_ID and self._internet:
            made = [_internet(number) for number in self._internet]
        else:
            return None
        return ServiceParameterList(parameter_set=tuple(made))

    def is_selectable(self, service: SelectedService) -> bool:
        """Tell whether a service is offered, in this form."""
        if service.service_id == CHARGE_SERVICE_ID:
            return True
        sets = self.sets(service.service_id)
        if sets is None:
            return False
        return service.parameter_set_id in [
            one.parameter_set_id for one in sets.parameter_set
        ]

    def offered(self, request: iso2.ServiceDiscoveryReq) -> ServiceList | None:
        """Return the list that a car asks for; None where there is nothing on it."""
        wanted = request.service_category
        found = tuple(
            Service(
                service_id=number,
                service_category=category,
                free_service=True,
            )
            for number, category in _CATEGORY.items()
            if self.sets(number) is not None and wanted in (None, category)
        )
        return ServiceList(service=found) if found else None


def _certificate(number: int) -> ParameterSet:
    parameter = Parameter(name="Service", string_value=CERTIFICATES[number])
    return ParameterSet(parameter_set_id=number, parameter=(parameter,))


def _internet(number: int) -> ParameterSet:
    protocol, port = INTERNET[number]
    return ParameterSet(
        parameter_set_id=number,
        parameter=(
            Parameter(name="Protocol", string_value=protocol),
            Parameter(name="Port", int_value=port),
        ),
    )
