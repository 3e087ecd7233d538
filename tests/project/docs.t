#!/usr/bin/perl
# docs.t - what is made from the stub and from the binary is up to date, and says something about
# everything.
use strict;
use warnings;
use Test::More;
use JSON::PP;
use File::Temp qw(tempdir);
use lib 'tests/e2e/lib';
use Das qw(das_config);

my $das = $ENV{DAS} || 'build/das';
sub slurp { open my $in, '<', $_[0] or die "$_[0]: $!"; local $/; return <$in> }

my $page = slurp('docs/api.md');
ok(`perl docs/api.pl` eq $page, 'docs/api.md is what the stub says (make docs)');
my $rc = slurp('scripts/types/luacheckrc');
ok(`$das check --names | perl docs/luacheckrc.pl` eq $rc, 'scripts/types/luacheckrc is what the binary has (make docs)');

# --- everything is described -------------------------------------------------------------------
my (@bare, @untried, %functions);
for my $part (split /^(?=###? )/m, $page) {
    next unless $part =~ /^### ([\w.:]+)\(/;
    my $name = $1;
    $functions{$name} = 1;
    push @bare, $name unless $part =~ /^### .*\n\n[^\n`-]/;
    push @untried, $name unless $part =~ /^```(?:lua|text)\n/m;    # text: it needs a network
}
is_deeply(\@bare, [], 'each function has a description');
is_deeply(\@untried, [], 'and an example');
my $globals = decode_json(`$das check --names`)->{globals};
my %of = map { $_ => 1 } 'version', 'args', 'dry_run', 'params', grep { $globals->{"das.$_"} } @{ $globals->{das} };
is_deeply([ grep { !$functions{"das.$_"} && !$of{$_} } @{ $globals->{das} } ], [], 'the page has all functions of das');
my %anchor;
while ($page =~ /^#+ (.*)$/mg) { my $a = lc $1; $a =~ s/[^\w\- ]//g; $a =~ tr/ /-/; $anchor{$a}++ }
is_deeply([ grep { !$anchor{$_} } $page =~ /\]\(#([^)]*)\)/g ], [], 'no link leads nowhere');
is_deeply([ grep { $anchor{$_} > 1 } keys %anchor ], [], 'no two headings share an address');

# What an example says that it prints, as in "print(x) -- 32", it prints.
my $dir = tempdir(CLEANUP => 1);
my ($wrong, $told) = ('', 0);
while ($page =~ /^```lua\n(.*?)^```/msg) {
    my $code = $1;
    my @want = $code =~ /^print\(.*\) -- (\S+)$/mg or next;
    open my $out, '>', "$dir/x.lua" or die;
    print $out $code;
    close $out;
    my @got = split /\n/, `$das run -i mem:tests/samples/recording.jsonl $dir/x.lua 2>/dev/null`;
    $told++;
    $wrong .= "expected @want, got @got:\n$code" unless "@got" eq "@want";
}
is($wrong, '', 'examples print what they say');
cmp_ok($told, '>', 3, 'some say it');

# --- for the folders of users --------------------------------------------------------------------
my $luarc = decode_json(slurp('scripts/types/luarc.json'));
is_deeply([ grep { $luarc->{'runtime.builtin'}{$_} ne 'disable' || $globals->{$_} } keys %{ $luarc->{'runtime.builtin'} } ],
    [], 'luarc.json disables libraries that a script does not have');
is_deeply([ grep { !$globals->{$_} && !$luarc->{'runtime.builtin'}{$_} && $_ !~ /^(basic|builtin|bit|bit32|ffi|jit)/ }
    qw(coroutine debug io math os package string table utf8) ], [], 'and all of them');
open my $bad, '>', "$dir/bad.lua" or die;
print $bad "print(io, das.previw, os.execute, das.preview, das.args[1], string.len)\n";
close $bad;
my $said = `luacheck --no-color --codes --config scripts/types/luacheckrc $dir/bad.lua`;
is(scalar(() = $said =~ /\((?:W113|W143)\)/g), 3, 'luacheckrc knows what das has') or diag($said);
is(system('luacheck -q --config scripts/types/luacheckrc scripts/policies scripts/runbooks scripts/hooks scripts/demo >/dev/null'), 0, 'our policies pass');

# --- every policy runs --------------------------------------------------------------------------
$ENV{DAS_CONFIG} = das_config();    # in which they may kill
for my $script (grep { !m{^scripts/(prelude|types|hooks)/|/das\.lua$} } split /\n/, `git ls-files -co --exclude-standard 'scripts/*.lua'`) {
    for my $armed ('', '--apply') {
        for my $list ('recording.jsonl', 'show_vertical.txt') {
            my ($verb, $params) = ('run', '');
            ($verb, $params) = ('runbook run', '--param wait=0') if $script =~ m{/runbooks/};
            $params .= ' --param user=report%' if $script =~ /runaway/;
            my $out = `$das $verb $armed -i mem:tests/samples/$list $params $script 2>&1`;
            my $code = $? >> 8;
            ok($code == 0 || ($armed && $code =~ /^[45]$/), "das run $armed -i mem:$list $script") or diag("exit $code\n$out");
            my @traces = $out =~ /^das run(?:book)?: .*\.lua:\d+:.*/mg;
            is_deeply(\@traces, [], 'without an error or a warning about it');
        }
    }
}
done_testing();
