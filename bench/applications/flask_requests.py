"""Requests through Flask's test client: routing, Jinja2 templates, sessions, JSON."""

from flask import Flask, jsonify, render_template_string, request, session

from support import main

app = Flask(__name__)
app.secret_key = "x"
PAGE = "<ul>{% for i in items %}<li>{{ loop.index }} {{ i.name|e }} {{ i.value }}</li>{% endfor %}</ul>"


@app.route("/list/<int:count>")
def listing(count):
    items = [{"name": f"<{i}>", "value": i * i} for i in range(count)]
    return render_template_string(PAGE, items=items)


@app.route("/json", methods=["POST"])
def json():
    body = request.get_json()
    session["seen"] = session.get("seen", 0) + 1
    return jsonify(sum=sum(body["values"]), seen=session["seen"])


def run(n):
    """Serve n pairs of requests; bytes answered."""
    total = 0
    with app.test_client() as client:
        for i in range(n):
            total += len(client.get(f"/list/{i % 20}").data)
            total += len(client.post("/json", json={"values": list(range(i % 50))}).data)
    return total


main(run)
