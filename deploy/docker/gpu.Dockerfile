# RayStar for nodes with NVIDIA GPUs and a driver for CUDA 13. It serves as the image of nodes without one too, if all nodes
# of a cluster have the same. From the project's directory:
#
#   docker build -f deploy/docker/gpu.Dockerfile -t raystar:gpu .
#   docker run --rm --gpus all --shm-size=16g raystar:gpu
#
# which checks the node that it runs on.
ARG BASE=nvidia/cuda:13.0.2-devel-ubuntu24.04
# hadolint ignore=DL3006
FROM ${BASE}
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# As in cpu.Dockerfile. The base has the CUDA compiler, for kernels that DeepSpeed and vLLM build at run time.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates g++ libnuma1 libseccomp2 make procps python3 python3-dev python3-venv wget \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/raystar/bin:${PATH} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN python3 -m venv /opt/raystar \
    && echo "export PATH=/opt/raystar/bin:\$PATH" > /etc/profile.d/raystar.sh

WORKDIR /raystar
COPY requirements/gpu.lock requirements/
RUN pip install --no-deps -r requirements/gpu.lock

COPY . /raystar
RUN pip install --no-deps --no-build-isolation --editable .

# Written into the manifest of every run, as the image holds no checkout:
#   --build-arg COMMIT="$(git rev-parse HEAD)$(git diff --quiet HEAD || echo -dirty)"
ARG COMMIT=""
ENV RAYSTAR_COMMIT=${COMMIT}

# Nothing needs root, the sandbox least of all. By number: Kubernetes cannot tell from a name that it is not root.
# Ubuntu's own user has the same number.
RUN userdel --remove ubuntu && useradd --create-home --uid 1000 raystar && chown raystar:raystar /raystar
USER 1000:1000
CMD ["raystar", "doctor", "--node"]
