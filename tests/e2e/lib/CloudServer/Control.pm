# Control.pm - what the test tells the server and asks it, over paths below /_test/ that need no
# credential: POST /_test/NAME with a list of arguments; the answer is a value. CloudServer.pm says what
# each is for.
package CloudServer::Control;
use strict;
use warnings;
use JSON::PP;
use CloudServer::Kill ();
use CloudServer::Loop ();

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my %options = map { $_ => 1 } qw(now_offset data_sync_time success info_reading strict rows latency switching list_ended task_times
    scan_every token_life deny lock_after per_connection users projects);

sub handle {
    my ($g, $r) = @_;
    my ($name) = $r->{target} =~ m{\A/_test/(\w+)\z};
    my $answer = eval { { value => act($g, $name // '', @{ $json->decode($r->{body}) }) } } || { error => "$@" };
    return { status => 200, headers => [ [ 'Content-Type', 'application/json' ] ], body => $json->encode($answer) };
}

my %acts;

sub act {
    my ($g, $name, @args) = @_;
    my $act = $acts{$name} or die "there is no $name\n";
    return $act->($g, @args);
}

sub instance_of {
    my ($g, $opt) = @_;
    my $id = $opt->{instance} // $g->{instance};
    return $g->{instances}{$id} ||= {
        instance_id => $id, project => $g->{project}, engine_type => $id =~ /in07\z/ ? 'TaurusDB' : 'MySQL', sessions => [], tasks => [], history => [],
        db_users => [], switch => { then => 'ON', answers => 0 },
    };
}

# Sessions as they are from now on.
sub begun {
    my ($list) = @_;
    my $now = CloudServer::Loop::now();
    return map { { user => '', host => '', db => '', command => 'Query', state => '', sql_info => '', state_duration => 0, %$_, since => $now } } @$list;
}

%acts = (
    sessions => sub {
        my ($g, $list, $opt) = @_;
        my $i = instance_of($g, $opt);
        $i->{frozen} = $opt->{frozen} if $list || defined $opt->{frozen};
        $i->{project} = $opt->{project} if defined $opt->{project};
        $i->{sessions} = [ begun($list) ] if $list;
        return [ map { my $s = { %$_, state_duration => CloudServer::Sessions::age($i, $_) }; delete @$s{qw(text since)}; $s } @{ $i->{sessions} } ];
    },
    add => sub { my ($g, $list, $opt) = @_; push @{ instance_of($g, $opt)->{sessions} }, begun($list); 1 },
    remove => sub {
        my ($g, $ids, $opt) = @_;
        my %gone = map { $_ => 1 } @$ids;
        my $i = instance_of($g, $opt);
        $i->{sessions} = [ grep { !$gone{ $_->{id} } } @{ $i->{sessions} } ];
        1;
    },
    instances => sub {
        my ($g, $list) = @_;
        for my $given (@$list) {
            my $i = instance_of($g, { instance => $given->{instance_id} });
            @$i{ keys %$given } = values %$given;
        }
        return [ sort keys %{ $g->{instances} } ];
    },
    (map { my $what = $_; ($what => sub { my ($g, $value, $opt) = @_; instance_of($g, $opt)->{$what} = $value if defined $value; return instance_of($g, $opt)->{$what} }) }
        qw(locks metadata_locks transactions db_users nodes history)),
    tasks => sub {
        my ($g, $opt) = @_;
        my $i = instance_of($g, $opt);
        CloudServer::Kill::running($g, $i);
        return $i->{tasks};
    },
    scan => sub { my ($g, $opt) = @_; return CloudServer::Kill::scan($g, instance_of($g, $opt)) },
    switch => sub {
        my ($g, $value, $opt) = @_;
        my $i = instance_of($g, $opt);
        if (defined $value && $value eq 'switching') { $i->{switch} = { then => $opt->{then} // 'ON', answers => $opt->{answers} // 1 } }
        elsif (defined $value) {
            $value =~ /\A(?:ON|OFF)\z/ or die "switch: ON, OFF or switching\n";
            $i->{switch} = { then => $value, answers => 0 };
        }
        return CloudServer::Kill::switch_now($i);
    },
    killed => sub { return $_[0]{killed} || [] },
    violations => sub { return $_[0]{violations} },

    script => sub {
        my ($g, $operation, $steps) = @_;
        my %known = map { $_ => 1 } qw(status body headers delay cut content_length close drop_before reset hang chunked last perform times hold);
        for my $step (@$steps) {
            !$known{$_} && die "script: there is no $_\n" for keys %$step;
            $step->{times} //= 1;
        }
        push @{ $g->{scripts}{ CloudServer::Gateway::operation_name($operation) } }, @$steps;
        1;
    },
    unscript => sub { $_[0]{scripts} = {}; $_[0]{hooks} = []; 1 },
    after => sub {
        my ($g, $operation, $n, $acts) = @_;
        $acts{ $_->[0] } || die "after: there is no $_->[0]\n" for @$acts;
        push @{ $g->{hooks} }, { operation => CloudServer::Gateway::operation_name($operation), left => $n, acts => $acts };
        1;
    },
    hold => sub { my ($g, $operation) = @_; $g->{hold}{ CloudServer::Gateway::operation_name($operation) } = 1; 1 },
    release => sub {
        my ($g, $operation) = @_;
        my $name = CloudServer::Gateway::operation_name($operation);
        delete $g->{hold}{$name};
        my $n = 0;
        $n += $g->{loop}->release($_) for $name eq '*' ? keys %{ $g->{loop}{held} } : $name;
        return $n;
    },
    held => sub {
        my ($g, $operation) = @_;
        my $name = CloudServer::Gateway::operation_name($operation);
        return scalar grep { $_->[0]{sock} } @{ $g->{loop}{held}{$name} || [] };
    },

    requests => sub {
        my ($g, $operation) = @_;
        my $name = CloudServer::Gateway::operation_name($operation // '*');
        return [ grep { $name eq '*' || $_->{operation} eq $name } @{ $g->{log} } ];
    },
    count => sub { return scalar @{ $acts{requests}->(@_) } },
    forget => sub { my ($g) = @_; @$g{qw(log killed violations)} = ([], [], []); $g->{loop}{max_parallel} = 0; 1 },
    max_parallel => sub { return $_[0]{loop}{max_parallel} },

    expire_tokens => sub {
        my ($g, $how) = @_;
        $how //= 'expires';
        $how =~ /\A(?:expires|update)\z/ or die "expire_tokens: expires or update\n";
        $_->{expired} = $how for values %{ $g->{tokens} };
        return scalar keys %{ $g->{tokens} };
    },
    key => sub { my ($g, $key) = @_; $g->{key} = $key; $g->{failures} = 0; 1 },
    set => sub {
        my ($g, $values) = @_;
        !$options{$_} && die "set: there is no $_; there are: @{[ sort keys %options ]}\n" for keys %$values;
        @$g{ keys %$values } = values %$values;
        1;
    },
);

1;
