"""One page, and one that takes an upload."""

from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def index(request):
    return HttpResponse("<h1>Hello from Django</h1>")


@csrf_exempt
def upload(request):
    return JsonResponse({name: file.size for name, file in request.FILES.items()})


urlpatterns = [path("", index), path("upload", upload)]
