# RayStar for nodes without a GPU. From the project's directory:
#
#   docker build -f deploy/docker/cpu.Dockerfile -t raystar:cpu .
#   docker run --rm --shm-size=2g raystar:cpu
#
# which checks the node that it runs on. Any Debian 12 will do as BASE, one made by debootstrap included.
ARG BASE=debian:bookworm-slim
# hadolint ignore=DL3006
FROM ${BASE}
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# A compiler and Python's headers: DeepSpeed and torch build kernels at run time. libseccomp: the sandbox. libnuma: vLLM.
# wget, procps: KubeRay's probes and Ray. Versions are those of the base's security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates g++ libnuma1 libseccomp2 make procps python3 python3-dev python3-venv wget \
    && rm -rf /var/lib/apt/lists/*

# Login shells, which some launchers use, set a PATH of their own: hence the file in /etc/profile.d.
ENV PATH=/opt/raystar/bin:${PATH} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python3 -m venv /opt/raystar \
    && echo "export PATH=/opt/raystar/bin:\$PATH" > /etc/profile.d/raystar.sh

# The packages, in a layer that changes with the lock only. torch alone with the page of its CPU builds: pip would ask the
# page about every other package too.
WORKDIR /raystar
COPY requirements/cpu.lock requirements/
RUN grep -E '^(--find-links|torch==)' requirements/cpu.lock | pip install --no-deps -r /dev/stdin \
    && grep '^[A-Za-z0-9]' requirements/cpu.lock | grep -v '^torch==' | pip install --no-deps -r /dev/stdin

COPY . /raystar
RUN pip install --no-deps --no-build-isolation --editable .

# Written into the manifest of every run, as the image holds no checkout:
#   --build-arg COMMIT="$(git rev-parse HEAD)$(git diff --quiet HEAD || echo -dirty)"
ARG COMMIT=""
ENV RAYSTAR_COMMIT=${COMMIT}

# Nothing needs root, the sandbox least of all. By number: Kubernetes cannot tell from a name that it is not root.
RUN useradd --create-home --uid 1000 raystar && chown raystar:raystar /raystar
USER 1000:1000
CMD ["raystar", "doctor", "--node"]
