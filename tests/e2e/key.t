#!/usr/bin/perl
# key.t - das key and das token as a person uses them: what they print and keep, who may read it, and
# that a secret is nowhere but on standard output, once.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use Digest::SHA qw(sha256);
use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use lib 'tests/e2e/lib';
use Das qw(wait_for);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $dir = tempdir(CLEANUP => 1);
my $state = "$dir/state";
$ENV{HOME} = $dir;
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME STATE_DIRECTORY)};
chdir $dir or die;
umask 022;

sub get { open my $f, '<:raw', $_[0] or return ''; local $/; return <$f> // '' }
sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }

# das(ARGS...): exit code, standard output, standard error.
sub das {
    my @args = map { (my $a = $_) =~ s/'/'\\''/g; "'$a'" } @_;
    my $out = `$das @args 2>err`;
    return ($? >> 8, $out, get('err'));
}

sub fails {
    my ($want, $message, @args) = @_;
    my ($code, $out, $err) = das(@args);
    is($code, $want, "das @args: exit $want");
    is($out, '', 'nothing on standard output');
    like($err, $message, 'a message that helps');
}

sub json { return eval { decode_json($_[0]) } || {} }

put('das.lua', qq{return {
  state = "$state",
  instances = { orders = { source = "mem:none.jsonl", tags = { "prod" } }, reports = "mem:none.jsonl" },
}\n});

# --- nothing there yet ---------------------------------------------------------------------------
my ($code, $out, $err) = das('key', 'list');
is("$code $out", '0 ', 'no key: an empty list');
like($err, qr/^das key: there is none in \Q$state\E yet$/, 'that says so');
($code, $out) = das('token', 'list', '-o', 'json');
is_deeply(json($out), { tokens => [] }, 'as JSON, too');
fails(2, qr/no key "DASX"/, 'key', 'revoke', 'DASX');
ok(!-e $state, 'nothing was made by looking');

# --- what makes no sense ---------------------------------------------------------------------------
fails(2, qr/whose key\? --name/, 'key', 'create');
fails(2, qr/--name: expected 1 to 64/, 'key', 'create', '--name', $_) for '', 'a b', "a\nb", 'x' x 65;
fails(2, qr/--expires: expected .* at most 365d, got "$_"/, 'token', 'create', '--name', 'a', '--expires', $_)
  for '366d', '0', '-1', 'never', '9999999999999999999d';
fails(2, qr/--expires: expected/, 'key', 'create', '--name', 'a', '--expires', '1y');
fails(2, qr/--actions: unknown "listProces"; did you mean listProcess\?/, 'key', 'create', '--name', 'a', '--actions', 'read,listProces');
fails(2, qr/--actions: expected read/, 'key', 'create', '--name', 'a', '--actions', $_) for '', 'read,,write', 'das:*:x';
fails(2, qr/--instances: where may it kill/, 'key', 'create', '--name', 'a', '--actions', $_)
  for 'all', '*', 'write', 'read,deleteProcess', 'das:clouddba:*';
fails(2, qr/--instances: expected names/, 'key', 'create', '--name', 'a', '--instances', $_) for '', 'orders,', 'tag:';
fails(2, qr/--instances: a name without blanks/, 'key', 'create', '--name', 'a', '--instances', 'my db');
fails(2, qr/^das key: $_->[0] is of das key create/, 'key', 'list', @{$_}[0, 1])
  for ['--name', 'a'], ['--actions', 'read'], ['--instances', '*'], ['--expires', '1d'];
fails(2, qr/-o is of das token create and list/, 'token', 'revoke', 'X', '-o', 'json');
fails(2, qr/-o: expected table or json, got "csv"/, 'key', 'list', '-o', 'csv');
fails(2, qr/--config and --state/, 'key', 'list', '--config', 'das.lua', '--state', $state);
fails(2, qr/did you mean das token revoke\?/, 'token', 'revok', 'X');
fails(2, qr/expected das key create, list or revoke/, 'key');
fails(2, qr/expected one ID, got 0/, 'key', 'revoke');
fails(2, qr/expected options only, got 1/, 'key', 'create', 'ci');
ok(!-e $state, 'still nothing was made');
for my $word ('key', 'token') {
    ($code, $out) = das('help', $word);
    like($out, qr/\Adas $word create --name NAME/, "das help $word");
    is((das($word, '--help'))[1], $out, "is das $word --help");
    is(scalar(grep { length > 100 } split /\n/, $out), 0, 'in lines of 100');
}

# --- a key ---------------------------------------------------------------------------------------
($code, $out, $err) = das('key', 'create', '--name', 'ci');
is($code, 0, 'a key');
my ($id, $secret) = $out =~ /\Aaccess_key = (DAS[A-Z0-9]{17})\nsecret_key = ([A-Za-z0-9]{40})\n\z/;
ok($secret, 'id and secret on standard output') or diag($out);
like($err, qr/^das key: keep it now, it is not shown again; das key revoke $id ends it$/, 'a hint on standard error');
unlike($err, qr/\Q$secret\E/, 'without the secret');
is(mode("$state/serve.key"), '0600', 'serve.key is its owner\'s alone');
is(mode("$state/das.db"), '0600', 'so is the database');
is(mode($state), '0700', 'and the folder');
like(get("$state/serve.key"), qr/\A[0-9a-f]{64}\n\z/, '64 hex digits');
my $master = get("$state/serve.key");
is_deeply([ glob("$state/serve.key.*") ], [], 'nothing is left beside it');

($code, $out, $err) = das(qw(key create --name deploy@host-1 --actions), 'read,deleteProcess,listProcess', '--instances',
    'orders,tag:prod,elsewhere', '--expires', '30d', '-o', 'json');
is($code, 0, 'another one');
my $made = json($out);
is(join(' ', sort keys %$made), 'access_key actions created expires instances name secret_key', 'as JSON');
is_deeply($made->{instances}, [qw(orders tag:prod elsewhere)], 'instances');
is_deeply($made->{actions}, [ map { "das:$_" } qw(clouddba:listProcess :showCloudDBAInfo clouddba:listKillTaskRecord
      clouddba:showKillTaskSwitch clouddba:listInstances clouddba:listDbUser clouddba:listApproval
      clouddba:deleteProcess) ],
    'words are written out, each action once');
like($err, qr/--instances: .*"elsewhere"/, 'an instance that das.lua does not have is remarked');
unlike($err, qr/"orders"|"\*"/, 'one that it has is not');
is(get("$state/serve.key"), $master, 'the master key stays');
(my $other, my $second) = @$made{qw(access_key secret_key)};
isnt($second, $secret, 'another secret');

($code, $out) = das(qw(key create --name all --actions all --instances *));
my ($third) = $out =~ /secret_key = (\w+)/;
is($code, 0, 'all, everywhere, when it is said');

# --- tokens ----------------------------------------------------------------------------------------
($code, $out, $err) = das('token', 'create', '--name', 'person');
my ($token) = $out =~ /\Atoken = (das_DAT[A-Z0-9]{17}_[A-Za-z0-9_-]{43})\n\z/;
ok($token, 'a token') or diag($out);
my $tid = substr $token, 4, 20;
like($err, qr/das token revoke $tid ends it/, 'a hint');
($code, $out) = das('token', 'create', '--name', 'short', '--expires', '1s', '-o', 'json');
my $short = json($out);
like($short->{token}, qr/\Adas_$short->{id}_/, 'a token as JSON');

# --- list --------------------------------------------------------------------------------------
($code, $out) = das('key', 'list');
my @lines = split /\n/, $out;
is(scalar @lines, 4, 'three keys under a head');
like($lines[0], qr/^id +created +expires +name +instances +actions +state$/, 'its words');
like($lines[1], qr/^$id +\S+Z +never +ci +\* +read +good$/, 'the first');
like($lines[2], qr/^$other +\S+Z +\S+Z +deploy\@host-1 +orders,tag:prod,elsewhere +read,deleteProcess +good$/, 'the second');
like($lines[3], qr/^DAS\w+ +\S+Z +never +all +\* +\* +good$/, 'the third');
unlike($out, qr/DAT/, 'no token');
($code, $out) = das('token', 'list', '-o', 'json');
my %of = map { $_->{id} => $_ } @{ json($out)->{tokens} };
is(scalar keys %of, 2, 'two tokens');
is($of{$tid}{state}, 'good', 'one is good');
my ($h, $m, $s) = $of{$tid}{expires} =~ /T(\d\d):(\d\d):(\d\d)Z$/;
my ($ch, $cm, $cs) = $of{$tid}{created} =~ /T(\d\d):(\d\d):(\d\d)Z$/;
is("$h$m$s", "$ch$cm$cs", 'for a day');
isnt(substr($of{$tid}{expires}, 0, 10), substr($of{$tid}{created}, 0, 10), 'until tomorrow');
ok(wait_for(sub { json((das('token', 'list', '-o', 'json'))[1])->{tokens}[1]{state} eq 'expired' }), 'the other expires');
like((das('token', 'list'))[1], qr/^$short->{id}.* expired$/m, 'in the table, too');

# --- revoke --------------------------------------------------------------------------------------
($code, $out) = das('key', 'revoke', $id);
is("$code $out", "0 revoked $id\n", 'revoked');
like((das('key', 'list'))[1], qr/^$id.* revoked$/m, 'it says so');
ok(json((das(qw(key list -o json)))[1])->{keys}[0]{revoked}, 'and when');
fails(2, qr/$id: it was revoked before/, 'key', 'revoke', $id);
fails(2, qr/$tid is a token: das token revoke $tid/, 'key', 'revoke', $tid);
fails(2, qr/$other is a key: das key revoke $other/, 'token', 'revoke', $other);
fails(2, qr/no key "DASX"; das key list shows/, 'key', 'revoke', 'DASX');
is((das('token', 'revoke', $tid))[0], 0, 'a token, too');

# --- no secret anywhere ----------------------------------------------------------------------------
my @secrets = ($secret, $second, $third, substr($token, 25), substr($short->{token}, 25));
is(scalar(grep { defined && length >= 40 } @secrets), 5, 'five secrets to look for');
my @forms = map { ($_, unpack('H*', $_)) } @secrets;
push @forms, map { my $t = $_; $t =~ tr{-_}{+/}; decode_base64("$t=") } @secrets[3, 4];
my %where = map { $_ => get($_) } grep { -f } glob("$state/* $state/runs/* $dir/err");
ok($where{"$state/das.db"} =~ /deploy\@host-1/ || ($where{"$state/das.db-wal"} // '') =~ /deploy\@host-1/,
    'what is written there can be read there');
$where{$_->[0]} = join '', das(@$_) for ['audit', 'list'], ['audit', 'list', '-o', 'json'], ['audit', 'export'],
  ['key', 'list'], ['key', 'list', '-o', 'json'], ['token', 'list', '-o', 'json'];
$where{"audit show $_"} = join '', das('audit', 'show', $_) for 1 .. 8;
for my $place (sort keys %where) {
    is(scalar(grep { index($where{$place}, $_) >= 0 } @forms), 0, "no secret in $place");
}
my $m_bytes = pack 'H*', substr $master, 0, 64;
is(scalar(grep { $_ ne "$state/serve.key" && (index($where{$_}, $m_bytes) >= 0 || index($where{$_}, substr $master, 0, 64) >= 0) } keys %where),
    0, 'the master key is in its file only');
ok(index($where{"$state/das.db"} . ($where{"$state/das.db-wal"} // ''), sha256($token)) >= 0, 'of a token there is the hash');

($code, $out) = das('audit', 'list', '--kind', 'access', '-o', 'json');
my @records = map { json($_) } split /\n/, $out;
is(join(' ', map { "$_->{event}:$_->{access}" } @records[0, -2, -1]), "created:$id revoked:$id revoked:$tid", 'the journal has who came and went');
ok($records[0]{by}, 'and by whom');
is((das('audit', 'verify'))[0], 0, 'and is whole');

# --- the master key ----------------------------------------------------------------------------------
chmod 0644, "$state/serve.key";
fails(2, qr/serve\.key: everybody on this machine can read the master key.*chmod 600/, qw(key create --name late));
chmod 0600, "$state/serve.key";
rename "$state/serve.key", "$dir/away" or die;
fails(2, qr/serve\.key: cannot open.*2 keys are sealed with it, $other among them: put it back, or revoke them/, qw(key create --name late));
ok(!-e "$state/serve.key", 'no other one is made in its place');
is((das(qw(token create --name works)))[0], 0, 'a token needs none');
for (@{ json((das(qw(key list -o json)))[1])->{keys} }) { das('key', 'revoke', $_->{id}) if $_->{state} ne 'revoked' }
is((das(qw(key create --name late)))[0], 0, 'when all are revoked a new one is made');
isnt(get("$state/serve.key"), $master, 'another one');

# --- standard output that cannot be written ------------------------------------------------------------
SKIP: {
    skip 'no /dev/full', 3 unless -e '/dev/full';
    my $said = `$das key create --name lost 2>&1 >/dev/full`;
    is($? >> 8, 1, 'a secret that nobody could see: exit 1');
    like($said, qr/the secret could not be written: revoked again: (DAS\w{17})$/m, 'is revoked again');
    my ($lost) = $said =~ /(DAS\w{17})/;
    like((das('key', 'list'))[1], qr/^$lost .*lost.* revoked$/m, 'indeed');
}

# --- another state directory -------------------------------------------------------------------------
put('das.lua', 'this is no Lua');
fails(2, qr/das\.lua/, 'key', 'list');
is((das('key', 'list', '--state', $state))[0], 0, '--state needs no das.lua');

done_testing();
