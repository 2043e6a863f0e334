#!/usr/bin/env bash
# Build deploy/docker/cpu.Dockerfile without a daemon and without images from elsewhere: debootstrap makes the base, buildah
# the image, in a chroot. Then run what the image runs, as its user: `raystar doctor --node`. As root; a quarter of an hour.
#
#   cpu_image.sh [STATE]          STATE: a directory for 15 GB, removed at the end where it did not exist
#
# IMAGE_VOLUMES: what pip needs of this machine while the image is built: its configuration, certificates, directories with
# packages. Each is PATH, or PATH:PLACE where it has another place in the image; separated by spaces.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

for tool in buildah debootstrap; do command -v "$tool" > /dev/null || { echo "no $tool: install Debian's package" >&2; exit 3; }; done
state=${1:-}
[[ -n $state && -d $state ]] || { state=${state:-$(mktemp -d /var/tmp/cpu_image.XXXXXX)}; trap 'rm -rf --one-file-system "$state"' EXIT; }
mkdir -p "$state"
export TMPDIR=$state STORAGE_OPTS=
buildah() { command buildah --root "$state/storage" --runroot "$state/run" "$@"; }

volumes=()
for path in ${IMAGE_VOLUMES:-}; do volumes+=(--volume "${path%%:*}:${path##*:}:ro"); done

if [[ ! -e $state/base ]]; then
    debootstrap --variant=minbase bookworm "$state/base.partial" > "$state/debootstrap.log" || { tail -n 5 "$state/debootstrap.log" >&2; exit 1; }
    mv "$state/base.partial" "$state/base"
fi
base=$(buildah from scratch)
buildah copy -q "$base" "$state/base" /
buildah commit -q "$base" localhost/debian:bookworm > /dev/null
buildah rm "$base" > /dev/null

buildah build --format docker --isolation chroot --layers=false --pull-never "${volumes[@]}" --build-arg BASE=localhost/debian:bookworm \
    --build-arg COMMIT="$(git rev-parse HEAD 2> /dev/null || true)" -f deploy/docker/cpu.Dockerfile -t localhost/raystar:cpu .

run=$(buildah from --pull-never --shm-size=1g localhost/raystar:cpu)
code=0
buildah run --isolation chroot "$run" -- raystar doctor --node || code=$?
buildah run --isolation chroot "$run" -- bash -lc 'id -un; command -v ray raystar python; echo "commit ${RAYSTAR_COMMIT:-none}"'
buildah images
exit "$code"
