#!/usr/bin/env bash
# Builds the guest of the demonstration and of the tests: Debian's cloud kernel and an initramfs
# with busybox, the virtio modules and our ledger.
#
#   build.sh --output DIRECTORY --ledger PROGRAM [--service redis|http]
#
# DIRECTORY/image (with a service: DIRECTORY/image-SERVICE) is then a link to a folder with vmlinuz and initrd. Built again only when an input
# has changed. Two builds at once do not disturb each other: everything is made in a folder of its
# own and renamed into place when it is whole.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output= ledger= service=
while (($#)); do
  case $1 in
    --output) output=$2; shift 2 ;;
    --ledger) ledger=$2; shift 2 ;;
    --service) service=$2; shift 2 ;;
    *) echo "build.sh: unknown option $1" >&2; exit 2 ;;
  esac
done
[[ $output && $ledger ]] || { echo "usage: build.sh --output DIRECTORY --ledger PROGRAM" >&2; exit 2; }
mkdir -p "$output"
output=$(cd "$output" && pwd)
modules=(failover net_failover virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev
         virtio_pci virtio_net)

scratch=$(mktemp -d "$output/.build-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

newest_kernel_package() {
  apt-cache pkgnames linux-image-6.1.0- | grep -E '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' |
    sort -V | tail -n 1
}

# The kernel, downloaded once: $output/kernel/{vmlinuz,modules/*.ko}.
fetch_kernel() {
  [[ -e $output/kernel/vmlinuz ]] && return
  local package
  package=$(newest_kernel_package || true)
  if [[ -z $package ]]; then
    apt-get update -qq || true  # needs root; without it the message below says what is missing
    package=$(newest_kernel_package || true)
  fi
  if [[ -z $package ]]; then
    echo "build.sh: apt knows no linux-image-6.1.0-*-cloud-amd64; run 'apt-get update' as root" >&2
    exit 1
  fi
  echo "guest image: downloading $package"
  # apt's own download user cannot write into our folder.
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$package")
  dpkg-deb -x "$scratch/$package"_*.deb "$scratch/package"
  mkdir -p "$scratch/kernel/modules"
  cp "$scratch"/package/boot/vmlinuz-* "$scratch/kernel/vmlinuz"
  local module path
  for module in "${modules[@]}"; do
    path=$(find "$scratch/package" -name "$module.ko" -print -quit)
    [[ $path ]] || { echo "build.sh: $package has no module $module.ko" >&2; exit 1; }
    cp "$path" "$scratch/kernel/modules/"
  done
  # Loses when another build was faster, which is just as good.
  mv -T "$scratch/kernel" "$output/kernel" 2>/dev/null || [[ -e $output/kernel/vmlinuz ]]
}

# Debian's nginx, unpacked once and not installed: the host must not become a web server.
fetch_nginx() {
  [[ -e $output/nginx/nginx ]] && return
  echo "guest image: downloading nginx"
  (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download nginx)
  dpkg-deb -x "$scratch"/nginx_*.deb "$scratch/nginx-package"
  mkdir -p "$scratch/nginx"
  cp "$scratch/nginx-package/usr/sbin/nginx" "$scratch/nginx/"
  mv -T "$scratch/nginx" "$output/nginx" 2>/dev/null || [[ -e $output/nginx/nginx ]]
}

# A service of others and what it needs, into the guest's root.
add_service() {
  local root=$1 library
  [[ $service ]] || return 0
  cp "$program" "$root/bin/$service-server"
  for library in $(ldd "$program" | grep -oE '/[^ ]+'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  [[ $service == http ]] || return 0
  mkdir -p "$root"/{srv,run,etc,var/lib/nginx,var/log/nginx}
  head -c 1024 /dev/zero | tr '\0' x >"$root/srv/index.html"
  echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  cat >"$root/etc/nginx.conf" <<'TEXT'
user root root;
daemon off;
master_process off;
events {}
http {
  access_log off;
  keepalive_requests 1000000;
  server {
    listen 80;
    root /srv;
  }
}
TEXT
}

fetch_kernel
program=
case $service in
  '') ;;
  redis)
    program=/usr/bin/redis-check-rdb  # checker and server, by the name that it is called by
    [[ -x $program ]] || { echo "build.sh: no $program; install redis-tools" >&2; exit 1; }
    ;;
  http)
    fetch_nginx
    program=$output/nginx/nginx
    ;;
  *) echo "build.sh: unknown service $service" >&2; exit 2 ;;
esac
busybox=$(command -v busybox) || { echo "build.sh: no busybox; install busybox-static" >&2; exit 1; }
inputs=("$output/kernel/vmlinuz" "$output"/kernel/modules/*.ko "$busybox" "$ledger" "$here/init"
        "$here/build.sh")
if [[ $program ]]; then inputs+=("$program"); fi
name=image-$(cat "${inputs[@]}" - <<<"$service" | sha256sum | cut -c1-16)

if [[ ! -e $output/$name ]]; then
  root=$scratch/root
  mkdir -p "$root"/{bin,dev,proc,sys,modules} "$scratch/image"
  cp "$busybox" "$root/bin/busybox"
  cp "$ledger" "$root/bin/ledger"
  cp "$here/init" "$root/init"
  cp "$output"/kernel/modules/*.ko "$root/modules/"
  add_service "$root"
  chmod 755 "$root/init" "$root/bin/"*
  find "$root" -exec touch -h -d @0 {} +
  # Not compressed: an emulated processor would spend longer on that than on reading it.
  (cd "$root" && find . | LC_ALL=C sort |
     cpio --quiet --reproducible --owner=0:0 -o -H newc >"$scratch/image/initrd")
  cp "$output/kernel/vmlinuz" "$scratch/image/vmlinuz"
  mv -T "$scratch/image" "$output/$name" 2>/dev/null || [[ -e $output/$name/initrd ]]
fi
ln -s "$name" "$scratch/link"
mv -T "$scratch/link" "$output/image${service:+-$service}"
echo "guest image: $output/$name"
