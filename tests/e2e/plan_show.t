#!/usr/bin/perl
# plan_show.t - das plan show: plans that were saved, as a person looks at them.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use JSON::PP;

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = getcwd() . '/tests/samples/recording.jsonl';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
$ENV{COLUMNS} = 200;
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME)};
chdir $dir or die;

# das('ARGS'): exit code, standard output, standard error.
sub das {
    my $out = `$das $_[0] 2>err`;
    my $code = $? >> 8;
    return ($code, $out, get('err'));
}
sub put { open my $f, '>:raw', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return <$f> // '' }
sub seal { my ($json) = @_; return substr($json, 0, -1) . ',"sha256":"' . sha256_hex($json) . "\"}\n" }

# --- a file of two plans -----------------------------------------------------------------------
put('make.lua', <<'LUA');
local found = das.preview{ user = "report" }
print(found:plan{ kill = "soft", reason = "select over 60 s", escalate = "90s", ttl = "1h",
  symptom = { state = "Waiting%" } })
print(das.preview{ trx_time = 0 }:plan{ ttl = 3600 })
LUA
my ($code, $lines) = das("run -o json -i mem:$list make.lua");
is($code, 0, 'two plans');
put('two.plan', $lines);
my @lines = split /^/, $lines;
is(scalar @lines, 2, 'a line each');
for my $line (@lines) {
    my ($json, $hash) = $line =~ /^(.*),"sha256":"([0-9a-f]{64})"\}\n\z/ or die $line;
    is(sha256_hex("$json}"), $hash, 'the hash is that of all before it');
}

my ($out, $err);
($code, $out, $err) = das('plan show two.plan');
is("$code$err", '0', 'shown');
my ($first, $second) = split /\n\n/, $out;
like($first, qr/^plan [0-9a-f]{12}: kill the statement \(soft\) of 2 on mem:\S+: select over 60 s, good for 3600 s\nbecause of \{user="report"\}\n/,
    'what it would do, and why');
like($first, qr/^a statement that goes on for 90 s after its kill: then its connection$/m, 'the escalation');
like($first, qr/^to be cured: \{state="Waiting%"\}$/m, 'the symptom');
like($first, qr/^1987 +report +10\.20\.3\.7:33890 .*SELECT c\.region/m, 'the victims');
like($first, qr/^made 20\d\d-\d\d-\d\dT[\d:]+Z, good for another \d+ s$/m, 'how long it is good');
like($first, qr/^sha256 ([0-9a-f]{64})$/m, 'its hash');
like($second, qr/^plan .*statement or connection/, 'and the second');
like($second, qr/^  \d+ has changed \d+ rows?, to be rolled back$/m, 'what it would undo');
is((das('plan show - <two.plan'))[1], $out, 'from standard input');

($code, $out, $err) = das('plan show -o json two.plan');
is("$code$err", '0', 'as JSON');
my @json = map { decode_json($_) } split /^/, $out;
is_deeply([ map { $_->{line} } @json ], [ 1, 2 ], 'a line for each line');
is_deeply([ sort keys %{ $json[0] } ], [qw(expired line plan sha256)], 'its fields');
is($json[0]{expired}, JSON::PP::false, 'not expired');
is($json[0]{plan}{version}, 2, 'a version');
is_deeply($json[0]{plan}{filter}, { user => 'report' }, 'the filter');
is($json[0]{plan}{escalate_ms}, 90000, 'the escalation');
is_deeply([ map { $_->{session}{id} } @{ $json[0]{plan}{victims} } ], [ 1987, 1990 ], 'the victims');
like($lines[0], qr/"sha256":"$json[0]{sha256}"/, 'the hash');

# --- one that has expired ------------------------------------------------------------------------
(my $old = $lines[1]) =~ s/,"sha256".*//s;
$old .= '}';
$old =~ s/"(created|expires)_ms":(\d+)/'"' . $1 . '_ms":' . ($2 - 7_200_000)/ge;
put('old.plan', seal($old));
($code, $out) = das('plan show old.plan');
is($code, 0, 'an old plan is shown');
like($out, qr/, expired \d+ s ago$/m, 'and said to be old');
is(decode_json((das('plan show -o json old.plan'))[1])->{expired}, JSON::PP::true, 'in JSON too');

# --- text that would drive the terminal --------------------------------------------------------------
(my $rude = $old) =~ s/"reason":""/"reason":"\\u001b]0;x\\u0007\\u009b31m"/ or die;
put('rude.plan', seal($rude));
($code, $out) = das('plan show rude.plan');
is($code, 0, 'a reason with control characters');
unlike($out, qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, 'is shown without them');

# --- changed ---------------------------------------------------------------------------------------------
(my $changed = $lines[0]) =~ s/"id":1987/"id":1986/;
put('changed.plan', $lines[1] . $changed . $lines[0]);
($code, $out, $err) = das('plan show changed.plan');
is($code, 1, 'a changed plan: exit 1');
like($err, qr/^das plan: changed\.plan:2: not a plan that can be trusted: it was changed.*\n\z/, 'its line is named');
is(scalar(() = $out =~ /^sha256 /mg), 2, 'the others are shown');
unlike($out, qr/\b1986\b/, 'it is not');

sub fails {
    my ($want, $message, $args, $content) = @_;
    put('x.plan', $content) if defined $content;
    my ($code, $out, $err) = das("plan $args");
    is("$code$out", $want, "das plan $args: exit $want, nothing shown");
    like($err, $message, 'and why');
}
fails(1, qr/x\.plan:1: .*does not end in its hash/, 'show x.plan', "{}\n");
fails(1, qr/x\.plan:2: .*does not end in its hash/, 'show x.plan', "\n\n");
fails(1, qr/x\.plan:1: .*it is of version 3; this das reads version 2/, 'show x.plan', seal('{"version":3}'));
fails(1, qr/x\.plan:1: .*it is longer than 16777216 bytes/, 'show x.plan', 'x' x 17_000_000 . "\n");
fails(1, qr/x\.plan: there is no plan in it/, 'show x.plan', '');
fails(1, qr/nowhere: No such file/, 'show nowhere');
fails(1, qr/Is a directory/, 'show /');
fails(2, qr/das plan show FILE/, '');
fails(2, qr/expected show, got "shw"/, 'shw x.plan');
fails(2, qr/expected one file, got 2/, 'show x.plan y.plan');
fails(2, qr/-o: expected table or json, got "csv"/, 'show -o csv x.plan');
fails(2, qr/unknown option --outptu; did you mean --output/, 'show --outptu json x.plan');
put('x.plan', substr($lines[0], 0, -1));
is((das('plan show x.plan'))[0], 0, 'the last newline may be missing');
like((das('help plan'))[1], qr/das plan show night\.plan/, 'help with examples');
done_testing();
