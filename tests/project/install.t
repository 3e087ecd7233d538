#!/usr/bin/perl
# install.t - `make install` and `make help` do what they say.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);

my $build = $ENV{BUILD} || 'build';
my $root = tempdir(CLEANUP => 1);
my $log = `make -s --no-print-directory BUILD=$build install PREFIX=/opt/das 'DESTDIR=$root/a b' 2>&1`;
is($?, 0, 'make install with PREFIX and a DESTDIR with a blank') or diag($log);
for my $file (qw(bin/das share/das/policies/long_select.lua share/das/runbooks/replica_lag.lua share/das/hooks/preview.lua share/das/types/das.d.lua
  share/das/luacheckrc share/das/luarc.json share/doc/das/api.md share/doc/das/README.md
  lib/systemd/system/das-serve.service)) {
    ok(-s "$root/a b/opt/das/$file", "installed $file");
}
like(`cat '$root/a b/opt/das/share/das/luarc.json'`, qr{"/opt/das/share/das/types"}, 'luarc.json names the folder of the stub');
like(`cat '$root/a b/opt/das/lib/systemd/system/das-serve.service'`, qr{^ExecStart=/opt/das/bin/das serve }m, 'the unit starts the installed program');
like(`'$root/a b/opt/das/bin/das' --version`, qr/^das \d+\.\d+\.\d+$/, 'the installed program runs');

my $help = `make -s --no-print-directory help`;
for my $target (qw(demo check fuzz bench install)) {
    like($help, qr/^make $target\b/m, "make help names $target");
}
my $json = `make -s --no-print-directory BUILD=$build compile_commands.json && python3 -c 'import json; print(len(json.load(open("compile_commands.json"))))' 2>/dev/null || perl -MJSON::PP -e 'local \$/; print scalar \@{decode_json(<STDIN>)}' <compile_commands.json`;
cmp_ok($json, '>', 40, 'compile_commands.json is JSON and names the files');
done_testing();
