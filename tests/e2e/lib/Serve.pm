# Serve.pm - das serve for one test: started in a folder of its own with a das.lua, keys and a port of
# its own, asked over HTTP with signatures of another implementation (Signature.pm), gone at the end.
#
#   my $s = Serve->new(instances => { orders => 'mem:list.jsonl' }, serve => 'mode = "auto"');
#   my $r = $s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'), { time => 5 });
#   is($r->{status}, 200); $r->{json}{total_count}
package Serve;
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes ();
use Das qw(das_start das_finish wait_for das $CALM $MANY);
use MariaDB;
use Signature qw(sign encode);

our $PROJECT = '0' x 32;
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Options: instances => { name => spec or Lua table }, serve => Lua within serve = { }, config => more Lua at the
# top, limits => Lua of kill limits ($MANY), keys => 0 (none are made), tls => 1, start => 0, env => {}.
sub new {
    my ($class, %opt) = @_;
    my $self = bless { owner => $$, dir => tempdir('das-serve-XXXXXX', TMPDIR => 1, CLEANUP => 1), %opt }, $class;
    $self->{port} = MariaDB::free_port();
    $self->{config} = "$self->{dir}/das.lua";
    $self->{state} = "$self->{dir}/state";
    $self->make_certificate('server') if $opt{tls};
    $self->write_config;
    $self->{key} = $self->make_key('--name', 'all', '--actions', 'all', '--instances', '*')
        unless defined $opt{keys} && !$opt{keys};
    $self->start unless defined $opt{start} && !$opt{start};
    return $self;
}

sub write_config {
    my ($self, %more) = @_;
    %$self = (%$self, %more);
    my $instances = join ",\n", map {
        my $v = $self->{instances}{$_};
        "  [\"$_\"] = " . ($v =~ /^\s*\{/ ? $v : qq{"$v"});
    } sort keys %{ $self->{instances} };
    my $tls = $self->{tls} ? qq{tls = { certificate = "$self->{dir}/server.pem", key = "$self->{dir}/server.key" },} : '';
    my $limits = $self->{limits} // $MANY;
    open my $out, '>', $self->{config} or die "$self->{config}: $!";
    my $serve = $self->{serve} // 'mode = "auto"';
    my $more = $self->{more} // '';
    print $out <<"LUA";
return {
  state = "$self->{state}",
  instances = {
$instances
  },
  limits = { $limits },
  $CALM,
  serve = { listen = "127.0.0.1:$self->{port}", $tls rate = 0, $serve },
  $more
}
LUA
    close $out;
}

# A certificate for 127.0.0.1, signed by itself: the client trusts exactly it.
sub make_certificate {
    my ($self, $name) = @_;
    my $dir = $self->{dir};
    my $said = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$name -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout $dir/$name.key.new -out $dir/$name.pem.new 2>&1`;
    die $said if $?;
    chmod 0600, "$dir/$name.key.new";
    rename "$dir/$name.key.new", "$dir/$name.key";
    rename "$dir/$name.pem.new", "$dir/$name.pem";
}

sub opt { my ($self) = @_; return { env => { DAS_CONFIG => $self->{config}, %{ $self->{env} || {} } }, timeout => $self->{timeout} || 300 } }

# { access => ..., secret => ... }
sub make_key {
    my ($self, @args) = @_;
    my $r = das($self->opt, 'key', 'create', '-o', 'json', @args);
    die "das key create: $r->{err}" if $r->{exit};
    my $k = $json->decode($r->{out});
    return { access => $k->{access_key}, secret => $k->{secret_key} };
}

sub make_token {
    my ($self, @args) = @_;
    my $r = das($self->opt, 'token', 'create', '-o', 'json', @args);
    die "das token create: $r->{err}" if $r->{exit};
    return $json->decode($r->{out})->{token};
}

sub start {
    my ($self, @args) = @_;
    $self->{run} = das_start($self->opt, 'serve', @args);
    wait_for(sub { Das::so_far($self->{run}) =~ /^das serve: http/m || waitpid($self->{run}{pid}, 1) > 0 }, 30);
    die "das serve did not start: " . $self->log unless Das::so_far($self->{run}) =~ /^das serve: http/m;
    $self->{http} = undef;
}

sub log { my ($self) = @_; return Das::slurp($self->{run}{err}) }
sub log_lines { my ($self) = @_; return map { $json->decode($_) } grep { /^\{/ } split /\n/, $self->log }

sub signal { my ($self, $name) = @_; kill $name, $self->{run}{pid} }

# Ends it in an orderly way: what das_finish() says.
sub stop {
    my ($self) = @_;
    return if !$self->{run};
    $self->signal('TERM');
    my $r = das_finish($self->{run});
    $self->{last} = $r;
    delete $self->{run};
    return $r;
}

sub crash {
    my ($self) = @_;
    $self->signal('KILL');
    my $r = das_finish($self->{run});
    delete $self->{run};
    return $r;
}

sub DESTROY {
    my ($self) = @_;
    return if $self->{owner} != $$ || !$self->{run};
    local $?;
    kill 'KILL', $self->{run}{pid};
    waitpid $self->{run}{pid}, 0;
}

sub base { my ($self) = @_; return ($self->{tls} ? 'https' : 'http') . "://127.0.0.1:$self->{port}" }

# The id of an instance by name, as the server lists it.
sub id {
    my ($self, $name) = @_;
    my $r = $self->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'MySQL' ], [ limit => 200 ] ]);
    die "instances: $r->{status} $r->{content}" if $r->{status} != 200;
    $self->{ids}{ $_->{instance_name} } = $_->{instance_id} for @{ $r->{json}{instance_list} };
    return $self->{ids}{$name} // die "no instance $name";
}

sub path { my ($self, $name, $tail) = @_; return "/v3/$PROJECT/instances/" . ($self->{ids}{$name} // $self->id($name)) . "/$tail" }
sub flow { my ($self, $name, $tail) = @_; return $self->path($name, "auto-flow/$tail") }

# Headers of a signed request, and the target to ask for.
sub signed {
    my ($self, $method, $path, $content, %opt) = @_;
    my $key = exists $opt{key} ? $opt{key} : $self->{key};
    my $query = $opt{query} || [];
    my @headers = ([ Host => "127.0.0.1:$self->{port}" ], @{ $opt{headers} || [] });
    my $date = $opt{date} // strftime('%Y%m%dT%H%M%SZ', gmtime);
    if ($key) {
        push @headers, [ 'X-Sdk-Date' => $date ], [ 'X-Project-Id' => $opt{project} // $PROJECT ];
        push @headers, [ Authorization => sign({ method => $method, path => $path, query => $query, headers => \@headers,
            body => $content, date => $date, access => $key->{access}, secret => $key->{secret}, %{ $opt{v11} || {} } }) ];
    }
    my $target = $path . (@$query ? '?' . join('&', map { encode($_->[0]) . '=' . encode($_->[1]) } @$query) : '');
    return ($target, \@headers);
}

# Asks and reads the answer: {status, headers, content, json}. $body: a structure, text, or undef. %opt: query =>
# [[name, value]], headers => [[]], key => {access, secret} or undef, date, token.
sub ask {
    my ($self, $method, $path, $body, %opt) = @_;
    my $content = !defined $body ? '' : ref $body ? $json->encode($body) : $body;
    push @{ $opt{headers} }, [ 'X-Auth-Token' => $opt{token} ] if $opt{token};
    $opt{key} = undef if $opt{token};
    # two requests that are the same in the same second have the same signature, and the second would be a replay
    push @{ $opt{headers} }, [ 'X-Nonce' => ++$self->{nonce} ] unless $opt{date};
    my ($target, $headers) = $self->signed($method, $path, $content, %opt);
    $self->{http} ||= HTTP::Tiny->new(keep_alive => 1, timeout => 60, verify_SSL => 1,
        ($self->{tls} ? (SSL_options => { SSL_ca_file => "$self->{dir}/server.pem" }) : ()));
    my %h = map { $_->[0] => $_->[1] } grep { lc $_->[0] ne 'host' } @$headers;
    $h{'Content-Type'} = 'application/json' if length $content;
    my $r = $self->{http}->request($method, $self->base . $target, { headers => \%h, content => $content });
    $r->{json} = eval { $json->decode($r->{content}) } if ($r->{headers}{'content-type'} // '') =~ /json/;
    return $r;
}

1;
