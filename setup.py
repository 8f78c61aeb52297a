"""The packages, which pyproject.toml cannot list: what is installed has `dataset_builders` in `hf_heartllm`.

The folder lies at the top of a clone, as `python -m dataset_builders.…` there; a name as general as that is not put
where the packages of others are.
"""

from setuptools import find_namespace_packages, setup

builders = find_namespace_packages(include=["dataset_builders*"])
setup(
    packages=[*find_namespace_packages(include=["hf_heartllm*"]), *(f"hf_heartllm.{name}" for name in builders)],
    package_dir={"hf_heartllm.dataset_builders": "dataset_builders"},
)
