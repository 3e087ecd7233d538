#!/usr/bin/perl
# apply_command.t - das run --plan-out and das apply: what was saved is applied, all of it is read
# first, and the guards of this machine's configuration hold.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use Das qw($MANY);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = 'mem:' . getcwd() . '/tests/samples/recording.jsonl?snapshot=3';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
$ENV{STATE_DIRECTORY} = "$dir/state";
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME XDG_RUNTIME_DIR DAS_STOP_DIR)};
$ENV{COLUMNS} = 300;
chdir $dir or die;

sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, '<', $_[0] or return ''; local $/; return scalar(<$f>) // '' }

# das(ARGS...): exit code, standard output, standard error.
sub das {
    my @args = map { (my $a = $_) =~ s/'/'\\''/g; "'$a'" } @_;
    my $out = `$das @args </dev/null 2>err`;
    return ($? >> 8, $out, get('err'));
}

# Saves the plans of a script.
sub save {
    my ($text, @args) = @_;
    put('s.lua', $text);
    return das('run', '-i', $list, '--plan-out', 'plans', @args, 's.lua');
}
my $two = 'for _, u in ipairs{ "report", "crm" } do das.preview{ user = u }:plan{ kill = "connection" }:apply() end';
my ($code, $out, $err);

# --- saving --------------------------------------------------------------------------------------
put('das.lua', "return { limits = { $MANY } }");
($code, $out, $err) = save($two);
is($code, 0, '--plan-out') or diag($err);
like($err, qr/^das run: dry run: 9 would be killed/m, 'is a dry run');
like($err, qr/^das run: 2 plans in plans; das apply plans kills what they say/m, 'and says what it saved');
is((stat 'plans')[2] & 07777, 0600, 'for the user alone');
my @lines = split /\n/, get('plans');
is(scalar @lines, 2, 'a plan a line');
is(decode_json($lines[0])->{instance}, $list, 'as JSON');
my $before = get('plans');
($code, $out, $err) = save('print("nothing")');
like("$code$err", qr/^0.*no plan was applied: plans was not written/s, 'no plan');
is(get('plans'), $before, 'and what was there stays');
($code, $out, $err) = save("$two error('x')");
like("$code$err", qr/^1.*the script failed: plans was not written/s, 'a script that fails half way saves nothing');
is(get('plans'), $before, 'either');
is_deeply([ glob 'plans*' ], ['plans'], 'nor is anything left beside it');
for my $case ([ '-', qr/standard output is the script's/ ], [ '/dev/null', qr/no plain file/ ], [ "$dir", qr/no plain file/ ]) {
    ($code, $out, $err) = das('run', '-i', $list, '--plan-out', $case->[0], 's.lua');
    is($code, 2, "--plan-out $case->[0]");
    like($err, $case->[1], 'is refused before the script runs');
}
($code, $out, $err) = das('run', '-i', $list, '--apply', '--plan-out', 'plans', 's.lua');
like("$code$err", qr/^2.*--plan-out or --apply, not both/s, 'not with --apply');
put('s.lua', $two);
is((das('run', '-i', $list, '--plan-out', 'nowhere/plans', 's.lua'))[0], 1, 'a folder that is not there');

# --- applying ------------------------------------------------------------------------------------
save($two);
($code, $out, $err) = das('apply', '--dry-run', 'plans');
is($code, 0, 'a dry run') or diag($err);
is(scalar(() = $out =~ /^dry run: \d would be killed/mg), 2, 'of both');
ok(!-e "$dir/state/das.db", 'keeps no journal');
($code, $out, $err) = das('apply', 'plans');
is($code, 0, 'das apply: a person may, though the policy was not promoted') or diag($out . $err);
like($out, qr/^applied: 2 killed\n.*^applied: 7 killed\n/ms, 'both plans');
ok(-e "$dir/state/das.db", 'with a journal');
save($two);
($code, $out) = das('apply', '-o', 'json', '-i', $list, 'plans');
is_deeply([ map { decode_json($_)->{killed} } split /\n/, $out ], [ 2, 7 ], 'as JSON, an object a plan; -i names the instance');
my $fresh = get('plans');

# --- what is refused before anything is done -----------------------------------------------------
sub refused {
    my ($name, $text, $want, $message, @args) = @_;
    put('bad', $text);
    ($code, $out, $err) = das('apply', @args, 'bad');
    is($code, $want, "$name: exit $want");
    is($out, '', 'nothing was applied');
    like($err, $message, 'and it is said why');
}
my ($first, $second) = split /(?<=\n)/, $fresh;
(my $changed = $second) =~ s/"crm"/"crn"/;
refused('a changed byte in the second plan', $first . $changed, 1, qr/^das apply: bad:2: /);
refused('half a plan', $first . substr($second, 0, 200), 1, qr/^das apply: bad:2: /);
refused('no plan', "\n\n", 1, qr/bad: there is no plan in it/);
refused('an instance that is not there', $fresh, 2, qr/no instance "nowhere"/, '-i', 'nowhere');
refused('two instances', $fresh, 2, qr/one instance at the most/, '-i', $list, '-i', 'mem:x');
refused('CSV', $fresh, 2, qr/expected table or json/, '-o', 'csv');
is((das('apply'))[0], 2, 'no file');
is((das('apply', 'bad', 'bad'))[0], 2, 'two files');
is((das('apply', 'nowhere'))[0], 1, 'a file that is not there');

# --- guards --------------------------------------------------------------------------------------
save($two);
{
    mkdir 'switch';
    put('switch/STOP', "2026-11-24T07:00:00Z alice: a fail-over\n");
    local $ENV{DAS_STOP_DIR} = "$dir/switch";
    ($code, $out, $err) = das('apply', 'plans');
    is($code, 5, 'the off switch: exit 5');
    like("$out$err", qr/stopped by \Q$dir\E\/switch\/STOP: .*alice: a fail-over/, 'with its reason');
    unlike($out, qr/^applied: \d killed/m, 'nothing was killed');
}
for my $mode (qw(observe notify)) {
    put('das.lua', "return { limits = { $MANY }, scripts = { ['s.lua'] = { mode = '$mode' } } }");
    save($two);
    ($code, $out, $err) = das('apply', 'plans');
    is($code, 5, "mode $mode that stands in das.lua holds for a person too");
    like("$out$err", qr/mode $mode/, 'and is named');
}
put('das.lua', "return { limits = { $MANY }, scripts = { ['s.lua'] = { mode = 'approve' } } }");
save($two);
($code, $out, $err) = das('run', '-i', $list, '--apply', 's.lua');
is($code, 5, 'mode approve: a run does not kill');
is((das('apply', 'plans'))[0], 0, 'a person does');
put('das.lua', "return { limits = { $MANY }, freezes = { { from = '2000-01-01', to = '2999-12-31', name = 'for ever' } } }");
save($two);
($code, $out, $err) = das('apply', 'plans');
like("$code$out$err", qr/^5.*frozen until .*for ever/s, 'a freeze holds for a person');
put('das.lua', "return { limits = { kill = { run = 1, percent = 100 } } }");
save($two);
($code, $out, $err) = das('apply', 'plans');
is($code, 5, 'a limit holds: exit 5');
like("$out$err", qr/limits\.kill\.run/, 'is named');
put('das.lua', "return { limits = { $MANY } }");
save('das.preview{ user = "report" }:plan{ kill = "connection", ttl = 1 }:apply()');
sleep 2;
($code, $out, $err) = das('apply', 'plans');
is($code, 5, 'an expired plan');
like($out, qr/2 refused.*expired/s, 'is refused');
put('das.lua', "return { limits = { $MANY } }");
save($two);
{
    local $ENV{STATE_DIRECTORY} = '/proc/nowhere';
    ($code, $out, $err) = das('apply', 'plans');
    like("$code$out$err", qr{^1.*/proc/nowhere}s, 'no journal, no kill');
    unlike($out, qr/killed/, 'at all');
}

# --- the journal ---------------------------------------------------------------------------------
{
    local $ENV{MY_TOKEN} = 'hunter2-and-more';
    put('das.lua', "return { limits = { $MANY }, secrets = { token = { env = 'MY_TOKEN' } } }");
    save('das.preview{ user = "crm" }:plan{ kill = "connection", reason = "of hunter2-and-more" }:apply()');
    is((das('apply', 'plans'))[0], 0, 'a plan whose reason holds a secret');
    ($code, $out) = das('audit', 'export');
    my ($apply) = grep { /"kind":"apply"/ && /of \*\*\*/ } split /\n/, $out;
    ok($apply, 'which is taken out of the journal') or diag($out);
    unlike($out, qr/hunter2/, 'everywhere');
    is(decode_json($apply || '{}')->{by}, (getpwuid $>)[0], 'who applied it stands there');
}

# Eight at the same moment: a plan is applied once.
save('das.preview{ user = "crm" }:plan{ kill = "connection" }:apply()');
{
    my @children;
    pipe my $ready, my $go or die;
    for my $n (1 .. 8) {
        my $pid = fork // die;
        if (!$pid) {
            close $go;
            sysread $ready, my $byte, 1; # the end of file is the start
            exec 'sh', '-c', "exec '$das' apply plans >out.$n 2>&1 </dev/null";
        }
        push @children, $pid;
    }
    close $go;
    waitpid $_, 0 for @children;
    my @done = map { get("out.$_") } 1 .. 8;
    is(scalar(grep { /^applied: 7 killed/m } @done), 1, 'eight apply one plan: one does') or diag(@done);
    is(scalar(grep { /applied before/ } @done), 7, 'seven say that it was applied');
}
done_testing();
