#!/usr/bin/perl
# parser.t - the parser of das check agrees with Lua's own about every Lua file in sight, and about
# mutants of them (tests/fuzz/parser.lua).
use strict;
use warnings;
use Test::More;

my @files = split /\n/, `git ls-files -co --exclude-standard '*.lua'`;
push @files, grep { -f } split /\n/, `find /usr/share/lua /usr/share/doc/lua* -name '*.lua' 2>/dev/null`;
cmp_ok(scalar @files, '>', 10, 'there are Lua files');
my $seed = $ENV{SEED} || int(rand(1e6));
my $out = `lua5.4 tests/fuzz/parser.lua 5 $seed @files 2>&1`;
is($?, 0, "no difference (SEED=$seed)") or diag(substr($out, 0, 4000));
like($out, qr/^\d{4,} texts, \d+ accepted, 0 differences$/m, 'and it was tried');
done_testing();
