# CloudServer.pm - a server on this machine that answers as Huawei Cloud's DAS and IAM do, after their
# documents: it checks signatures (with Signature.pm, not with das's code), reads requests strictly, keeps
# sessions, kill tasks and tokens, and writes down what it was asked. One process for all connections; it
# ends with the test.
#
#   my $c = CloudServer->new(tls => 1, ...);    all may be left out:
#     tls => 0|1, names => 'DNS:localhost,IP:127.0.0.1'       what its certificate is for
#     access, secret, security_token                          the only key that it accepts
#     project (32 characters), region, instance (36)          what there is; projects => {name => [ids]} for more
#     users => {name => password}, domain, domain_id          for tokens; token_life => s (24 h)
#     db_users => [{db_user_id, db_username}]                 of the instance
#     now_offset => s        how wrong its clock is           deny => [actions or operations]: 403
#     strict => 1            previews need all that tasks need, and commands of the document's list
#     info_reading => 'loose'  info selects any session       rows => n    previews have so many rows
#     success => 1           of a preview; it is false        data_sync_time => s    instead of now
#     latency => s           of each answer                   lock_after => n    refused signatures lock the key
#     per_connection => n    then it is closed, unannounced   task_times => 's'  instead of ms
#     switching => n         answers after a change           list_ended => 1    tasks that ended are listed, too
#     scan_every => s        running tasks end sessions then; 0: only in $c->scan
#   $c->set(rows => 0, ...)  changes any of the last eight lines (and users, projects), later
#
#   $c->endpoint; $c->ca; $c->port        http(s)://127.0.0.1:PORT; the authority's PEM file
#   $c->env                               a hash of HUAWEICLOUD_SDK_... variables that lead here
#   $c->access, ->secret, ->project, ->region, ->instance
#
# The state. Most take instance => ID at the end; one that is named for the first time is there from then on.
#   $c->sessions([{id, user, host, db, command, state, sql_info, state_duration, trx_time}, ...], frozen => 1)
#                                         all sessions; they grow older, unless frozen. Without a list: as they are
#   $c->add([...]); $c->remove([ids])
#   $c->switch('ON'|'OFF'); $c->switch('switching', answers => 3, then => 'OFF'); $c->switch
#   $c->tasks; $c->scan                   what was created; running tasks end what they select, says how many
#   $c->killed                            {instance, id, user, operation, task_id} of each
#   $c->history([...]); $c->locks({innodb_trx, innodb_lock_waits}); $c->metadata_locks([...]);
#   $c->transactions([...]); $c->db_users([...]); $c->nodes([...]); $c->instances([{instance_id, ...}])
#   $c->key(access => ..., secret => ..., security_token => ...)    from now on only this one
#   $c->expire_tokens('expires'|'update') the tokens given out so far: APIGW.0301 or APIGW.0307
#
# What happens next. Operations have short names, or those of the documents: preview, task_create, task_stop,
# tasks, history, kill_all, switch_get, switch_set, kill_process, delete_process, processes, process_list,
# innodb_locks, metadata_locks, transactions, instances, nodes, db_users, versions, token, projects; '*' is any.
#   $c->script($operation, \@steps)       the next answers, a step each (times => n: n of them), then as usual
#     status, body (bytes or data), headers => {name => value or undef}    instead of what it would do, whoever asks;
#                                         with perform => 1 it does that and says this
#     delay => s, cut => n bytes of the body, content_length => what it says, chunked => n bytes a chunk,
#     close => 1 or reset => 1 instead of the answer, hang => 1 (none, and it stays open), last => 1 (closed after it),
#     drop_before => 1 (closed, and nothing was done)
#   $c->after($operation, $n, { sessions => [...], remove => [ids], switch => 'OFF', set => {...}, ... })
#                                         once, after the n-th from now: calls of this object, by name
#   $c->hold($operation); $c->held($operation); $c->release($operation)    answers wait
#   $c->wait_for($operation, $n)          until so many have come; $c->unscript
#
# What was asked:
#   $c->requests, $c->requests($operation)  {n, operation, method, target, headers => {lower => value}, raw_headers =>
#                                         [[name, value]], body, time, connection, auth ('sdk', 'v11', 'token', ''),
#                                         verified, why, status (0: no answer)}, in their order
#   $c->count, $c->count($operation); $c->max_parallel; $c->forget
#   $c->violations                        texts: what a careful client never does (a secret told, a parameter or field
#                                         that there is none of, a kill by user or database), and faults of this server
package CloudServer;
use strict;
use warnings;
use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);
use CloudServer::Gateway;
use CloudServer::Loop;
use WebServer;

my %default = (
    tls => 0, now_offset => 0, access => 'ACCESSKEYOFTHETEST00', secret => 'SecretKeyOfTheTestThatNobodyMayTell00000', region => 'cn-north-4',
    project => '0a1b2c3d4e5f60718293a4b5c6d7e8f9', instance => '5d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5ain01', users => {}, domain => 'example', domain_id => '9f8e7d6c5b4a39281706f5e4d3c2b1a0',
    token_life => 86_400, deny => [], info_reading => 'keywords', strict => 0, rows => 0, success => 0, latency => 0, lock_after => 0, per_connection => 0,
    switching => 0, task_times => 'ms', list_ended => 0, scan_every => 0, next_task => 1001,
);

sub new {
    my ($class, %opt) = @_;
    my $self = bless { owner => $$, %default, %opt }, $class;
    $self->{projects} ||= { $self->{region} => [ $self->{project} ] };
    my $listen = WebServer::listener(1024);
    $self->{port} = $listen->sockport;
    $self->certify if $self->{tls};
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        srand;
        eval { $self->serve($listen); 1 } or print STDERR "CloudServer: $@";
        POSIX::_exit(0);
    }
    close $listen;
    my %ssl = $self->{tls} ? (verify_SSL => 1, SSL_options => { SSL_ca_file => $self->{ca} }) : ();
    $self->{http} = HTTP::Tiny->new(timeout => 120, %ssl);
    $self->ask(db_users => $self->{db_users}, {}) if $self->{db_users};
    return $self;
}

sub serve {
    my ($self, $listen) = @_;
    my $tls;
    if ($self->{tls}) {
        require IO::Socket::SSL;
        $tls = IO::Socket::SSL::SSL_Context->new(SSL_server => 1, SSL_cert_file => "$self->{dir}/server.pem", SSL_key_file => "$self->{dir}/server.key")
            or die "no TLS: $IO::Socket::SSL::SSL_ERROR\n";
    }
    my %options = %$self;
    delete @options{qw(owner tls dir ca port pid http db_users)};
    my $key = { map { $_ => delete $options{$_} } qw(access secret security_token) };
    my $g = CloudServer::Gateway->new(%options, key => $key);
    CloudServer::Control::act($g, 'sessions', [], {});
    $g->{loop} = CloudServer::Loop->new(listen => $listen, tls => $tls, handler => sub { $g->handle($_[0]) });
    $g->{loop}->run($self->{owner});
}

# An authority, and a certificate of it.
sub certify {
    my ($self) = @_;
    my $dir = $self->{dir} = tempdir('das-tls-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $openssl = sub { system("cd $dir && openssl @_ >/dev/null 2>&1") == 0 or die "openssl @_\n" };
    my $new = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
    $openssl->("req -x509 $new -keyout ca.key -out ca.pem -subj /CN=das-test-authority -days 2");
    open my $ext, '>', "$dir/ext" or die;
    print $ext 'subjectAltName=', $self->{names} || 'DNS:localhost,IP:127.0.0.1', "\n";
    close $ext;
    $openssl->("req $new -keyout server.key -out server.csr -subj /CN=server");
    $openssl->('x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem');
    $self->{ca} = "$dir/ca.pem";
}

sub ask {
    my ($self, $name, @args) = @_;
    my $r = $self->{http}->post("@{[ $self->endpoint ]}/_test/$name", { content => encode_json(\@args) });
    die "CloudServer: $name: $r->{status} $r->{content}\n" if $r->{status} != 200;
    my $answer = decode_json($r->{content});
    die "CloudServer: $name: $answer->{error}\n" if exists $answer->{error};
    return $answer->{value};
}

sub endpoint { my ($self) = @_; return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}" }
for my $name (qw(ca port access secret project region instance)) { no strict 'refs'; *$name = sub { $_[0]{$name} } }

sub env {
    my ($self) = @_;
    my $region = uc $self->{region} =~ tr/-/_/r;
    my %env = (AK => $self->{access}, SK => $self->{secret}, PROJECT_ID => $self->{project}, "REGION_DAS_$region" => $self->endpoint, IAM_ENDPOINT => $self->endpoint);
    $env{SECURITY_TOKEN} = $self->{security_token} if defined $self->{security_token};
    return { map { ("HUAWEICLOUD_SDK_$_" => $env{$_}) } keys %env };
}

# A value, then options.
for my $name (qw(sessions add remove switch history locks metadata_locks transactions db_users nodes)) {
    no strict 'refs';
    *$name = sub {
        my ($self, @args) = @_;
        my $value = @args % 2 ? shift @args : undef;
        return $self->ask($name, $value, {@args});
    };
}
for my $name (qw(tasks scan)) { no strict 'refs'; *$name = sub { my ($self, @args) = @_; return $self->ask($name, {@args}) } }
for my $name (qw(instances script unscript hold held release count forget max_parallel expire_tokens)) { no strict 'refs'; *$name = sub { my $self = shift; return $self->ask($name, @_) } }
for my $name (qw(killed violations requests)) { no strict 'refs'; *$name = sub { my $self = shift; return @{ $self->ask($name, @_) } } }

sub set { my ($self, %values) = @_; return $self->ask('set', \%values) }

sub key {
    my ($self, %key) = @_;
    @$self{qw(access secret security_token)} = @key{qw(access secret security_token)};
    return $self->ask('key', \%key);
}

sub after {
    my ($self, $operation, $n, $what) = @_;
    my %what = %$what;
    my %opt = map { exists $what{$_} ? ($_ => delete $what{$_}) : () } qw(instance frozen);
    return $self->ask('after', $operation, $n, [ map { [ $_, $what{$_}, \%opt ] } sort keys %what ]);
}

sub wait_for {
    my ($self, $operation, $n) = @_;
    my $end = time + 60;
    while ($self->count($operation) < $n) {
        return 0 if time > $end;
        sleep 0.01;
    }
    return 1;
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner} || !$self->{pid};
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
