"""The page's modules in as few files as a view needs."""

from __future__ import annotations

import pytest

from relay.web.linked import linked

VIEWS = 'const views = [() => import("./now.js"), () => import("./a.js")];'
WORDS = "export const hi = 1;\nexport function bye() {}\nconst own = 2;\n"


def test_what_a_view_alone_imports_is_in_its_file_and_the_rest_is_handed_on() -> None:
    made = linked(
        {
            "app.js": VIEWS,
            "now.js": 'import { bye as end } from "./words.js";\n'
            'import * as all from "./plots.js";\nexport function open() {}',
            "a.js": 'import { hi } from "./words.js";\nexport const a = hi;',
            "plots.js": 'import { hi } from "./words.js";\nexport class Plot {}',
            "words.js": WORDS,
            "nobody.js": "export const x = 1;",
        }
    )
    assert made.keys() == {"app.js", "now.js", "a.js"}
    inner = "const hi = 1;\nfunction bye() {}\nconst own = 2;\n"
    assert made["app.js"] == (
        f"const $words = (() => {{\n{inner}\nreturn {{ hi, bye }};\n}})();\n"
        f"{VIEWS}\nexport {{ $words }};\n"
    )
    assert made["now.js"] == (
        'import { $words } from "./app.js";\n'
        "const $plots = (() => {\nconst { hi } = $words;\nclass Plot {}\n"
        "return { Plot };\n})();\n"
        "const { bye: end } = $words;\nconst all = $plots;\nexport function open() {}\n"
    )
    assert made["a.js"] == (
        'import { $words } from "./app.js";\n'
        "const { hi } = $words;\nexport const a = hi;\n"
    )


def test_a_module_runs_once_whoever_imports_it() -> None:
    made = linked(
        {
            "app.js": 'import { a } from "./a.js";\nimport { b } from "./b.js";',
            "a.js": 'import { b } from "./b.js";\nexport const a = b;',
            "b.js": "export const b = {};",
        }
    )
    assert made["app.js"].count("const $b = ") == 1
    assert made["app.js"].index("const $b = ") < made["app.js"].index("const $a = ")


@pytest.mark.parametrize(
    "line",
    [
        'import it from "./b.js";',
        "export default 1;",
        "export { it };",
        "export let it = 1;",
        "await 1;",  # a view would wait for itself
    ],
)
def test_what_would_mean_another_thing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js: cannot be linked: "):
        linked({"app.js": 'import { a } from "./a.js";', "a.js": line})
