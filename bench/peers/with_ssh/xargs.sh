#!/bin/sh
# One ssh for each member, 50 at a time, each with the whole of the member's work as one script.
#
#   xargs.sh SSH_CONFIG MEMBER...
set -eu
export config="$1" folder
folder=$(dirname "$0")
shift
printf '%s\n' "$@" | xargs -P 50 -I '{}' sh -c '
    sed -e "/^MANIFEST\$/{r $folder/../account.yaml" -e "d}" "$folder/member.sh" | sed "s/MEMBER/$1/g" |
        ssh -F "$config" "$1" sh -s' sh '{}'
