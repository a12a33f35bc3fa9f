"""Every method of every address of the API, so that tests can say that they leave none out."""

from __future__ import annotations

from django.urls import resolve

from cronjobs.api.urls import urlpatterns

Route = tuple[str, str]


def all_routes() -> set[Route]:
    """Return each method, but for HEAD, with the name of each address that takes it."""
    # Another spelling of an address may be without a name; a view may not.
    names = {each.callback.cls: each.name for each in urlpatterns if each.name}
    return {
        (method.upper(), names[pattern.callback.cls])
        for pattern in urlpatterns
        for method in pattern.callback.cls.http_method_names
        if hasattr(pattern.callback.cls, method) and method != "head"
    }


def route_of(method: str, path: str) -> Route:
    """Return the route of a request to the mount of the test project."""
    name = resolve(path).url_name
    assert name is not None, path
    return method, name
