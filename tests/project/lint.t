#!/usr/bin/perl
# lint.t - the compilers' and linters' opinion of all that is committed: silence.
use strict;
use warnings;
use Test::More;

sub quiet {
    my ($what, $command) = @_;
    my $out = `$command 2>&1`;
    my $code = $? >> 8;
    ok($code == 0 && $out eq '', $what) or diag("exit $code\n", substr($out, 0, 4000));
}

my $build = $ENV{BUILD} || 'build';
my $sources = join ' ', split /\n/, `git ls-files -co --exclude-standard '*.c'`;
my $flags = `make -s --no-print-directory print-cflags BUILD=$build`;
chomp $flags;
like($flags, qr/-Wconversion/, 'the Makefile tells its flags');

quiet('no warning from clang', "printf '%s\\n' $sources | xargs -P2 -n4 clang $flags -fsyntax-only");
quiet('no warning from gcc', "printf '%s\\n' $sources | xargs -P2 -n4 gcc $flags -O2 -fsyntax-only");
quiet('no word from cppcheck',
    "cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability --inline-suppr "
      . "--suppress=missingIncludeSystem --suppress=toomanyconfigs --error-exitcode=1 -I. core bindings");
quiet('no word from luacheck', 'luacheck --quiet --no-color scripts tests/lua .luacheckrc | grep -v "^Total: 0"; true');

done_testing();
