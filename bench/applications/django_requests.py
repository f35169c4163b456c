"""Requests through Django: URL resolving, middleware, templates, the ORM over SQLite."""

import django
from django.conf import settings

from support import main

settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware",
                "django.middleware.http.ConditionalGetMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"page.html": (
                    "<h1>{{ title|title }}</h1><ul>{% for p in people %}<li class='{% cycle 'a' 'b' %}'>"
                    "{{ p.name|upper }} {{ p.age }} {% if p.age > 40 %}old{% else %}young{% endif %}"
                    "</li>{% empty %}none{% endfor %}</ul>{% with x=people|length %}{{ x }}{% endwith %}"
                )})]}}],
    INSTALLED_APPS=[], USE_TZ=False,
)
django.setup()

from django.core.handlers.base import BaseHandler  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.shortcuts import render  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.urls import path  # noqa: E402


class Person(models.Model):
    name = models.CharField(max_length=50)
    age = models.IntegerField()

    class Meta:
        app_label = "people"


def page(request, low):
    people = Person.objects.filter(age__gte=low).exclude(name="x").order_by("name")[:8]
    return render(request, "page.html", {"title": "people of age", "people": list(people)})


def data(request):
    return JsonResponse({"count": Person.objects.count(), "q": request.GET.get("q", "")})


def plain(request, name):
    return HttpResponse(f"hello {name}")


urlpatterns = [path("page/<int:low>/", page), path("data/", data), path("hi/<str:name>", plain)]


def run(n):
    """Serve n rounds of three requests; bytes answered."""
    with connection.schema_editor() as editor:
        editor.create_model(Person)
    Person.objects.bulk_create(Person(name=f"p{i % 37}", age=i % 70) for i in range(200))
    handler, factory = BaseHandler(), RequestFactory()
    handler.load_middleware()
    total = 0
    for i in range(n):
        for url in (f"/page/{i % 60}/", f"/data/?q={i}", f"/hi/name{i}"):
            response = handler.get_response(factory.get(url))
            assert response.status_code == 200
            total += len(response.content)
    return total


main(run)
