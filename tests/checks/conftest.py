"""A chapter's answers, right and wrong, one test each."""


def pytest_generate_tests(metafunc):
    chapter = metafunc.module
    if "right" in metafunc.fixturenames:
        rows = [(name, answer) for name, answers in chapter.RIGHT.items() for answer in answers]
        metafunc.parametrize("right", rows, ids=[name for name, _ in rows])
    if "wrong" in metafunc.fixturenames:
        metafunc.parametrize("wrong", chapter.WRONG, ids=[f"{name}: {hint}"[:70] for name, _, hint in chapter.WRONG])
