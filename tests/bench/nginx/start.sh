#!/bin/sh
# start.sh DIR PORT LIST PROJECT INSTANCE ACCESS - the rival on 127.0.0.1:PORT, in the foreground.
#
# DIR: an empty folder of its own. LIST: a recording; the sessions of its first line are served.
# PROJECT, INSTANCE: ids as in the path. ACCESS: the access key id; its secret is the variable
# DAS_BENCH_SECRET. SIGTERM ends it. It is ready when the port takes connections.
set -eu
dir=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
export DAS_BENCH_LIST="$(realpath "$3")" DAS_BENCH_PROJECT="$4" DAS_BENCH_INSTANCE="$5" DAS_BENCH_ACCESS="$6"
sed "s|@DIR@|$dir|g; s|@HERE@|$here|g; s|@PORT@|$2|g" "$here/nginx.conf.template" >"$dir/nginx.conf"
exec "$(command -v nginx || echo /usr/sbin/nginx)" -p "$dir" -c "$dir/nginx.conf"
