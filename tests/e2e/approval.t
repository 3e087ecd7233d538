#!/usr/bin/perl
# approval.t - a script asks for a kill and ends; people say yes at a terminal, on a page and over the API, with
# restarts and deaths in between: exactly the plan's victims die, once, and everything else is refused and said.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;
use Test::More;
use Das qw(das das_start das_finish wait_for $MANY);
use Herd;
use MariaDB;
use Serve;
use WebServer;

plan skip_all => MariaDB::missing() if MariaDB::missing();
plan skip_all => 'only root can be several people' if $>;

my %uid = map { $_ => scalar getpwnam $_ } qw(daemon bin games);
plan skip_all => 'the users daemon, bin and games are needed' if grep { !defined } values %uid;
my %os = (alice => 'daemon', bob => 'bin', eve => 'games');

# --- the stage -------------------------------------------------------------------------------------------------

# What comes to the channels; before the herd, whose pipe its process must not have. "bot" is a platform where a message can be edited and buttons come back.
my $web = WebServer->new(handler => sub {
    my ($r) = @_;
    return [ 204, {} ] if $r->{path} eq '/hook';
    return [ 200, { 'Content-Type' => 'application/json' }, '{"ok":true,"channel":"C024BE91L","ts":"1700000000.000100"}' ];
});
my $url = "http://127.0.0.1:$web->{port}";
sub messages { my ($path) = @_; return map { decode_json($_->{body}) } grep { $_->{path} =~ $path } $web->requests }

my $db = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
$db->sql(<<'SQL');
CREATE USER app@localhost; CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $log = "$db->{dir}/data/general.log";
my $herd = Herd->new($db->{socket});
my $round = 0;

# Two who will be asked for, and one who will not; their ids.
sub victims {
    $round++;
    my @ids = map { $herd->add('app', '', "SELECT SLEEP(600) /* round $round n$_ */") } 1 .. 2;
    push @ids, $herd->add('app', '', "SELECT SLEEP(600) /* bystander $round */");
    my $all = 'SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = "Query" AND ID IN (' . join(',', @ids) . ')';
    ok(wait_for(sub { $db->sql($all) == 3 }), 'three statements run');
    return @ids;
}
sub runs { return $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Query' AND ID = $_[0]") }
sub alive { my @ids = @_; return [ map { runs($_) } @ids ] }
sub kills { open my $in, '<', $log or die; return scalar grep { /\bKILL / } <$in> }

my $dir = File::Temp::tempdir(CLEANUP => 1);
sub put {
    my ($name, $text) = @_;
    open my $out, '>', "$dir/$name" or die "$name: $!";
    print $out $text;
    close $out;
    chmod 0600, "$dir/$name";
    return "$dir/$name";
}
put('url', "$url/hook\n");
put('secret', 'whsec_' . encode_base64('0123456789abcdef0123', '') . "\n");
put('bot', "xoxb-token\n");

my $s = Serve->new(start => 0, instances => { db => "mysql://das\@localhost/?socket=$db->{socket}" });
my %token = map { $_ => $s->make_token('--name', $_, '--actions', 'listApproval,decideApproval', '--instances', '*') } qw(alice bob eve);
my $weak = $s->make_token('--name', 'weak', '--actions', 'read');
my %key = map { $_->{name} => $_->{id} } @{ decode_json(das($s->opt, 'token', 'list', '-o', 'json')->{out})->{tokens} };
sub config {
    my (%opt) = @_;
    $s->write_config(serve => qq{mode = "auto", url = "http://127.0.0.1:$s->{port}"}, more => <<"LUA");
  people = {
    alice = { roles = { "dba" }, os = "$os{alice}", key = "$key{alice}" },
    bob = { roles = { "dba" }, os = "$os{bob}", key = { "$key{bob}", "$key{weak}" } },
    eve = { os = "$os{eve}", key = "$key{eve}" },
  },
  channels = {
    ops = { kind = "webhook", url = { file = "$dir/url" }, secret = { file = "$dir/secret" }, insecure = true, rate = 6000 },
    bot = { kind = "slack", token = { file = "$dir/bot" }, channel = "C024BE91L", endpoint = "$url", insecure = true, rate = 6000 },
  },
  scripts = { ["*"] = { grants = { "preview", "kill", "notify", "instance:*" }, mode = "$opt{mode}" } },
LUA
}
config(mode => 'approve');

sub as { my ($who, @args) = @_; my $o = $s->opt; return das({ %$o, env => { %{ $o->{env} }, SUDO_UID => $uid{ $os{$who} } } }, @args) }
sub show { my ($id) = @_; return decode_json(das($s->opt, 'approvals', 'show', '-o', 'json', $id)->{out}) }
sub state_is { my ($id, $state, $what) = @_; my $ok = wait_for(sub { show($id)->{state} eq $state }, 30);
    ok($ok, $what) or diag explain show($id); return $ok }

my $policy = put('policy.lua', <<'LUA');
local round, options = das.args[1], das.args[2]
local found = das.preview{ user = "app", info = "round " .. round .. " n" }
local plan = found:plan{ kill = "connection", reason = "round " .. round }
local o = { channel = "ops", approvers = { roles = { "dba" } } }
for _, key in ipairs{ "need", "ttl", "channel" } do
  local value = (options or ""):match(key .. "=(%w+)")
  if value then o[key] = tonumber(value) or value end
end
local approval = assert(plan:request_approval(o))
print(approval.id, approval.state)
if (options or ""):find("wait") then
  print(approval:wait{ timeout = "50s" }, approval.report and approval.report.killed)
end
LUA
sub ask {
    my ($options) = @_;
    my $r = das($s->opt, 'run', '--apply', '-i', 'db', $policy, $round, $options // '');
    my ($id) = $r->{out} =~ /^(\w{12})\t/;
    ok($id, "asked: $r->{out}") or diag explain $r;
    return $id;
}

# --- a script that may not kill by itself ----------------------------------------------------------------------

subtest 'n of m, a terminal and a page' => sub {
    my @ids = victims();
    my $r = das($s->opt, 'run', '--apply', '-i', 'db', put('apply.lua',
        'local p = das.preview{ user = "app", info = "round 1 n" }:plan{ kill = "connection" } print(p:apply().outcomes[1].note)'));
    like($r->{out}, qr/mode approve: .* needs a person's yes: plan:request_approval/, 'by itself it may not');
    my $id = ask('need=2');
    my ($message) = messages(qr{^/hook});
    my $text = encode_json($message);
    like($text, qr/das approve $id/, 'the message says how');
    like($text, qr/"$ids[0]"|:$ids[0]\b/, 'and whom it is about');
    my %link;
    for (@{ $message->{data}{fields} }) {
        my ($who) = $_->{name} =~ /^page of (\w+)/ or next;
        ($link{$who}) = $_->{value} =~ m{^http://127\.0\.0\.1:\d+(/approvals/[0-9a-f]{48})$};
    }
    is_deeply([ sort keys %link ], [qw(alice bob)], 'a link for each who may decide') or diag $text;
    is(ask('need=2'), $id, 'asked again it is the same request');
    $r = as('alice', 'run', '-i', 'db', '--apply', $policy, $round, 'need=2');
    like($r->{err}, qr/1 besides who asks may approve, and 2 are needed/, 'who asks has no vote');

    is(as('eve', 'approve', $id)->{exit}, 5, 'who may not decide is refused');
    is(das($s->opt, 'approve', $id)->{exit}, 5, 'who is nobody is refused');
    is(as('alice', 'reject', $id)->{exit}, 2, 'a no needs a reason');
    $r = as('alice', 'approve', $id, '--reason', 'seen');
    is($r->{exit}, 0, 'alice says yes') or diag explain $r;
    like($r->{err}, qr/counted: 1 of 2/, 'one of two');
    is(as('alice', 'approve', $id)->{exit}, 5, 'a second yes of hers does not count');
    is_deeply(alive(@ids), [ 1, 1, 1 ], 'nobody has died');

    $s->start;
    my $http = HTTP::Tiny->new(timeout => 60);
    my $page = $http->get($s->base . $link{bob});
    is($page->{status}, 200, 'the page of bob');
    like($page->{headers}{'content-security-policy'}, qr/default-src 'none'/, 'which may run no script');
    is($page->{headers}{'referrer-policy'}, 'no-referrer', 'and tells nobody its address');
    unlike($page->{content}, qr/<script/, 'and has none');
    is_deeply([ sort { $a <=> $b } $page->{content} =~ /<tr><td>(\d+)</g ], [ @ids[ 0, 1 ] ], 'shows the victims, and nobody else');
    unlike($page->{content}, qr/bystander/, 'and nobody else');
    like($page->{content}, qr/made for bob/, 'says whom it was made for');
    my $hidden = sub { my ($p) = @_; return map { $p->{content} =~ /name="$_" value="(\w+)"/ ? ($_ => $1) : () } qw(form plan) };
    my $post = sub { my ($link, %form) = @_; return $http->post_form($s->base . $link, \%form) };
    my %form = $hidden->($page);
    is($post->($link{bob}, %form, token => 'DASNOBODY', decision => 'approve')->{status}, 403, 'without a token nothing');
    is($post->($link{bob}, %form, token => $token{bob}, decision => 'approve')->{status}, 403, 'a form is good once');
    %form = $hidden->($http->get($s->base . $link{bob}));
    $r = $post->($link{bob}, %form, token => $token{eve}, decision => 'approve');
    is($r->{status}, 403, 'a link that was forwarded');
    like($r->{content}, qr/made for bob, not for eve/, 'is refused, and says so');
    %form = $hidden->($http->get($s->base . $link{bob}));
    is($post->($link{bob}, %form, token => $weak, decision => 'approve')->{status}, 403, 'a token that may only read');
    %form = $hidden->($http->get($s->base . $link{bob}));
    is($post->($link{alice}, %form, token => $token{alice}, decision => 'approve')->{status}, 403, 'a form of another link');
    %form = $hidden->($http->get($s->base . $link{bob}));
    is($post->($link{bob}, %form, plan => '0' x 64, token => $token{bob}, decision => 'approve')->{status}, 409, 'another plan');
    %form = $hidden->($http->get($s->base . $link{bob}));
    for my $case ([ 'a no without a reason', decision => 'reject', reason => ' ' ], [ 'neither yes nor no', decision => 'perhaps' ],
        [ 'a reason that would have to be cut', decision => 'approve', reason => 'x' x 1001 ]) {
        my ($what, %more) = @$case;
        is($post->($link{bob}, %form, token => $token{bob}, %more)->{status}, 400, $what);
    }
    like($post->($link{bob}, %form, token => $token{eve}, decision => 'approve')->{content}, qr/made for bob, not for eve/, 'and the form is as good as before');
    is_deeply(show($id)->{votes}[1], undef, 'none of them is a vote');
    is_deeply(alive(@ids), [ 1, 1, 1 ], 'nobody has died');

    is($s->crash->{exit}, 'signal 9', 'das serve dies');
    $s->start;
    %form = $hidden->($http->get($s->base . $link{bob}));
    $r = $post->($link{bob}, %form, token => $token{bob}, decision => 'approve', reason => 'go <on> & "on"');
    is($r->{status}, 200, 'bob says yes') or diag $r->{content};
    state_is($id, 'applied', 'das carries it out');
    is_deeply(alive(@ids), [ 0, 0, 1 ], 'exactly the two have died');
    is(show($id)->{report}{killed}, 2, 'the report says so');
    is($post->($link{bob}, %form, token => $token{bob}, decision => 'approve')->{status}, 410, 'the link was used');
    $page = $http->get($s->base . $link{bob});
    unlike($page->{content}, qr/<form/, 'its page has no form any more');
    like($page->{content}, qr/approved by alice, bob; 2 killed/, 'and says what became of it');
    is($http->get($s->base . '/approvals/' . '0' x 48)->{status}, 404, 'no such link');
    is($post->($link{alice}, $hidden->($http->get($s->base . $link{alice})), token => $token{alice}, decision => 'approve')->{status}, 403,
        'nor can the other one be used now');
    ok(wait_for(sub { grep { encode_json($_) =~ /approved by alice, bob; 2 killed/ } messages(qr{^/hook}) }), 'the channel hears of it');
    my ($secret) = $link{bob} =~ m{/approvals/(\w+)};
    unlike($s->log, qr/$secret|\Q$token{bob}\E/, 'the log has neither link nor token');
    my $journal = das($s->opt, 'audit', 'export')->{out};
    unlike($journal, qr/$secret|\Q$token{bob}\E/, 'nor has the journal');
    my @steps = map { $_->{event} } grep { $_->{kind} eq 'approval' && $_->{approval} eq $id } map { decode_json($_) } split /\n/, $journal;
    is_deeply([ grep { $_ ne 'refused' } @steps ], [qw(requested vote vote claimed applied)], 'every step is in the journal');
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'which is whole');
    $s->stop;
};

# --- other ways ------------------------------------------------------------------------------------------------

subtest 'two at terminals, no server' => sub {
    my @ids = victims();
    my $id = ask('need=2');
    is(as('bob', 'approve', $id)->{exit}, 0, 'bob');
    my $r = as('alice', 'approve', $id, '-o', 'json');
    is($r->{exit}, 0, 'alice') or diag explain $r;
    is(decode_json($r->{out})->{killed}, 2, 'carries it out at once');
    is_deeply(alive(@ids), [ 0, 0, 1 ], 'exactly the two have died');
    is(as('alice', 'reject', $id, '--reason', 'late')->{exit}, 5, 'a no comes too late');
};

subtest 'no' => sub {
    my @ids = victims();
    my $id = ask();
    is(as('bob', 'reject', $id, '--reason', 'month end')->{exit}, 0, 'bob says no');
    is(as('alice', 'approve', $id)->{exit}, 5, 'that was it');
    is(show($id)->{votes}[0]{reason}, 'month end', 'why is kept');
    is_deeply(alive(@ids), [ 1, 1, 1 ], 'nobody has died');
};

subtest 'too late' => sub {
    my @ids = victims();
    my $id = ask('ttl=1');
    ok(wait_for(sub { time > show($id)->{expires_ms} / 1000 }), 'a second goes by');
    my $r = as('alice', 'approve', $id);
    is($r->{exit}, 5, 'refused');
    like($r->{err}, qr/it expired at/, 'and told');
    is(show($id)->{state}, 'expired', 'it is over');
    is_deeply(alive(@ids), [ 1, 1, 1 ], 'nobody has died');
};

subtest 'somebody at the database' => sub {
    plan skip_all => 'sqlite3 is not installed' if !grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    my @ids = victims();
    my $id = ask();
    my $edit = sub { system('sqlite3', "$s->{state}/das.db", $_[0]) == 0 or die };
    $edit->("UPDATE approvals SET plan = CAST(replace(CAST(plan AS TEXT), '\"id\":$ids[0]', '\"id\":$ids[2]') AS BLOB) WHERE id = '$id'");
    my $r = as('alice', 'approve', $id);
    is($r->{exit}, 1, 'a plan that was edited is not even shown') or diag explain $r;
    $edit->("UPDATE approvals SET state = 1 WHERE id = '$id'");
    das($s->opt, 'approvals', 'run');
    is(show($id)->{state}, 'failed', 'nor is it carried out');
    is_deeply(alive(@ids), [ 1, 1, 1 ], 'nobody has died');
};

subtest 'over the API, and a script that waits' => sub {
    $s->start;
    my @ids = victims();
    my $run = das_start($s->opt, 'run', '--apply', '-i', 'db', $policy, $round, 'wait');
    my $id;
    ok(wait_for(sub { ($id) = Das::so_far($run) =~ /^(\w{12})\t/ }), 'it asks');
    my ($a) = grep { $_->{id} eq $id }
        @{ $s->ask(GET => "/v3/$Serve::PROJECT/approvals", undef, token => $token{eve}, query => [ [ state => 'open' ] ])->{json}{approvals} };
    is($a->{state}, 'waiting', 'the list has it');
    my $decide = sub { my ($who, %h) = @_; return $s->ask(POST => "/v3/$Serve::PROJECT/approvals/decide", { id => $a->{id}, plan => $a->{plan}, approve => JSON::PP::true, %h }, token => $who) };
    is($decide->($token{eve})->{status}, 409, 'eve may not decide');
    is($decide->($weak)->{status}, 403, 'nor a token that reads');
    is($decide->($token{bob}, plan => '0' x 12)->{status}, 409, 'nor bob about another plan');
    is($decide->($token{bob}, approve => JSON::PP::false)->{status}, 400, 'a no needs a reason');
    is($decide->($token{bob}, id => 'x')->{status}, 404, 'no such request');
    my $r = $decide->($token{bob});
    is($r->{json}{result}, 'approved', 'bob may') or diag $r->{content};
    is($decide->($token{bob})->{status}, 409, 'once');
    $r = das_finish($run);
    is($r->{out}, "$a->{id}\twaiting\napproved\t2\n", 'the script hears of it') or diag explain $r;
    is_deeply(alive(@ids), [ 0, 0, 1 ], 'exactly the two have died');
    $s->stop;
};

subtest 'a message that is edited' => sub {
    my @ids = victims();
    my $id = ask('channel=bot');
    my ($first) = messages(qr{chat\.postMessage});
    my ($actions) = grep { $_->{type} eq 'actions' } @{ $first->{blocks} };
    my @values = map { $_->{value} } @{ $actions->{elements} || [] };
    is(scalar @values, 2, 'two buttons') or diag explain $first;
    like($values[0], qr/^das:approval:$id:[0-9a-f]{12}:y$/, 'with an opaque value');
    unlike(encode_json($first), qr{/approvals/}, 'and no link');
    is(as('alice', 'approve', $id)->{exit}, 0, 'alice says yes at a terminal');
    my ($last) = (messages(qr{chat\.update}))[-1];
    like(encode_json($last || {}), qr/approved by alice; 2 killed/, 'the message shows who, and the outcome');
    is(scalar(grep { $_->{type} eq 'actions' } @{ $last->{blocks} || [] }), 0, 'and has no buttons any more');
};

# --- deaths ----------------------------------------------------------------------------------------------------

my @matrix = (    # where it dies; the state then, what has happened by then, and what comes of it
    [ 'approval-before-commit', 'waiting',  0, undef ],
    [ 'approval-claimed',       'applying', 0, 'applied' ],
    [ 'before-apply-record',    'applying', 0, 'applied' ],
    [ 'before-intent',          'applying', 0, 'applied' ],    # begun: not begun again
    [ 'after-intent',           'applying', 0, 'unknown' ],
    [ 'after-kill',             'applying', 1, 'unknown' ],
    [ 'after-outcome',          'applying', 1, 'applied' ],
    [ 'approval-applied',       'applying', 2, 'applied' ],
);
for my $case (@matrix) {
    my ($place, $then, $dead, $after) = @$case;
    subtest "dies at $place" => sub {
        my @ids = victims();
        my $id = ask();
        my $before = kills();
        {
            local $ENV{DAS} = ($ENV{BUILD} || 'build') . '/das-faults';
            my $o = $s->opt;
            my $r = das({ %$o, env => { %{ $o->{env} }, SUDO_UID => $uid{ $os{alice} }, DAS_FAULT => $place } }, 'approve', $id);
            is($r->{exit}, 'signal 9', 'das dies') or diag explain $r;
        }
        is(show($id)->{state}, $then, "it is $then");
        is(kills() - $before, $dead, "$dead kills were sent");
        $s->start;
        if ($after) {
            state_is($id, $after, "das serve settles it: $after");
        }
        else {
            is(as('alice', 'approve', $id)->{exit}, 0, 'nothing was said: it can be said again');
            state_is($id, 'applied', 'and is carried out');
        }
        my $again = $place =~ /^(?:approval-(?:before-commit|claimed)|before-apply-record)$/;
        is(kills() - $before, $again ? 2 : $dead, $again ? 'both die now' : 'and nobody is killed a second time');
        is(runs($ids[2]), 1, 'the bystander lives');
        $s->stop;
        my $r = das($s->opt, 'approvals', 'run');
        is(kills() - $before, $again ? 2 : $dead, 'nor by das approvals run');
        is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
        for my $seq (map { $_->{seq} } map { decode_json($_) } split /\n/, das($s->opt, 'audit', 'list', '-o', 'json', '--unknown')->{out}) {
            das($s->opt, 'audit', 'acknowledge', $seq, 'looked into it');
        }
    };
}
done_testing;
