#!/usr/bin/perl
# runbook_death.t - a power cut at every place on the way of a runbook. One run is led through its whole life by the programs that
# people and das serve use: begun, a step that fails once, a sleep of hours, an answer, a step that acts, a question that nobody
# answers, the end; and besides an unknown step that is resolved, a SIGTERM, a cancel. Before each of these commands the state is
# kept. Then every command is made to die at every place that it comes to, each time it comes to it, on a copy of that state, and
# others carry the run on. The places are those of the sources: one that is new has to be here.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Clock;
use JSON::PP;
use Test::More;
use Das;
use Serve;
use WebServer;

my $sanitized = ($ENV{BUILD} || 'build') =~ /san-/;
my $web = WebServer->new(handler => sub { return [ 204, {} ] });
my $s = Serve->new(start => 0, instances => { orders => 'mem:tests/samples/recording.jsonl' }, more => <<"LUA");
  scripts = { ["*"] = { mode = "auto", limits = { wall = "1h" }, grants = { "preview", "instance:*", "http:127.0.0.1", "notify:ops" } } },
LUA
sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; chmod 0600, $out; print $out $text; close $out; return $path }
my $url = write_file("$s->{dir}/url", "http://127.0.0.1:$web->{port}/ops");
my $key = write_file("$s->{dir}/key", 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD');
$s->write_config(more => "$s->{more} channels = { ops = { kind = 'webhook', url = { file = '$url' }, secret = { file = '$key' }, insecure = true, rate = 6000 } },");
my $life = write_file("$s->{dir}/life.lua", <<"LUA");
das.runbook{ name = "life", timeout = "20d" }
das.step("look", function() print("RUN look") return { seen = 7 } end)
das.step("shaky", function(attempt)
  print("RUN shaky")
  if attempt == 1 then error("not yet") end
  return "well"
end, { retry = 3, wait = 0.01 })
das.sleep("6h")
local choice = das.step.ask{ name = "go", question = "Go on?", choices = { "yes", "no" }, channel = "ops", ttl = "2d" }
local status = das.step("tell", function()
  print("RUN tell")
  return assert(das.http.post("http://127.0.0.1:$web->{port}/tell", choice)).status
end)
local other = das.step.ask{ name = "other", question = "And?", choices = { "a", "b" }, default = "b", ttl = "1h" }
das.step("end", function() print("RUN end") return { choice = choice, status = status, other = other } end)
LUA

# --- the run, as others see it -----------------------------------------------------------------------------------------
sub told { return scalar grep { $_->{path} eq '/tell' } $web->requests }

sub runbook {
    my ($fault, @args) = @_;
    my $opt = $s->opt;
    return das({ %$opt, env => { %{ $opt->{env} }, $fault ? (DAS_FAULT => $fault) : () } }, 'runbook', @args);
}
sub show {
    my ($first) = split /\n/, runbook('', 'list', '-o', 'json')->{out};
    return $first ? decode_json(runbook('', 'show', decode_json($first)->{id}, '-o', 'json')->{out}) : undef;
}
# Steps that have ended, by name; that the channel was told of an answer is noted later.
sub finished {
    my ($run) = @_;
    return map { ($_->{name} => { %$_, notes => [ grep { $_->{kind} !~ /^(?:asked|told)$/ } @{ $_->{notes} || [] } ] }) }
        grep { $_->{status} =~ /^(?:done|failed)$/ } @{ $run->{steps} };
}
sub results { my %all = finished(@_); return { map { $_ => $all{$_}{result} } keys %all } }
sub journal { return map { $_->{event} } grep { $_->{kind} eq 'runbook' } map { decode_json($_) } split /\n/, das($s->opt, 'audit', 'export')->{out} }

# What was said in the channel about the question.
sub posts {
    my @all = @{ decode_json(das($s->opt, 'notify', '--queue', '-o', 'json')->{out}) };
    my $asked = grep { $_->{subject} =~ /^Question of/ } @all;
    return { asked => $asked, told => @all - $asked };
}

# The state directory, and what time it was.
my ($kept, %ahead) = (0);
sub keep {
    my $at = "$s->{dir}/kept" . ++$kept;
    $ahead{$at} = Clock::ahead_ms();
    system('cp', '-a', $s->{state}, $at) == 0 or die if -d $s->{state};
    return $at;
}
sub put_back {
    my ($at) = @_;
    system('rm', '-rf', $s->{state}) == 0 or die;
    Clock::again($ahead{$at});
    system('cp', '-a', $at, $s->{state}) == 0 or die if -d $at;
}

# What has to be done for the run as it is: a command, or nothing more. What it waits for comes.
sub next_command {
    my ($now) = @_;
    return ('run', '-i', 'orders', $life) if !$now;
    return if $now->{status} =~ /^(?:done|failed|cancelled)$/;
    return ('resolve', $now->{id}, 'tell', 'done', '--result', '204', '--reason', 'the log of the other side has it') if $now->{status} eq 'unknown';
    if ($now->{status} eq 'waiting') {
        my ($wait) = grep { $_->{status} eq 'waiting' } @{ $now->{steps} };
        return ('answer', $now->{id}, 'go', 'yes') if $wait && $wait->{name} eq 'go';
        Clock::to($wait->{wake_ms} / 1000 + 1) if $wait;
    }
    return ('resume', $now->{id});
}

# To its end; what steps printed meanwhile, and whether it was unknown in between.
sub carry_on {
    my ($keep) = @_;
    my ($out, $unknown) = ('', 0);
    for (1 .. 20) {
        my $now = show();
        my @command = next_command($now) or return ($now, $out, $unknown);
        $unknown ||= $now && $now->{status} eq 'unknown';
        push @$keep, { at => keep(), command => \@command } if $keep;
        $out .= runbook('', @command)->{out};
    }
    return (show(), $out, $unknown);
}

# --- a life without a death ----------------------------------------------------------------------------------------------
my @lives;    # { at: the state before, command }
my ($good) = carry_on(\@lives);
is($good->{status}, 'done', 'a life without a death') or do { diag explain $good; BAIL_OUT("no life") };
my $want = results($good);
is_deeply($want, { look => { seen => 7 }, shaky => 'well', 'sleep 1' => undef, go => 'yes', tell => 204, other => 'b',
    end => { choice => 'yes', status => 204, other => 'b' } }, 'its results') or diag explain $want;
is_deeply([ map { $_->{command}[0] } @lives ], [qw(run resume answer resume resume)], 'what led it there');
is(told(), 1, 'it acted once');
my @want_journal = journal();
is_deeply(\@want_journal, [qw(started answered done)], 'its records');
is_deeply(posts(), { asked => 1, told => 1 }, 'its channel was asked and told');

# What needs a death, or a signal, to be come to.
put_back($lives[3]{at});
is(runbook('step-acts', @{ $lives[3]{command} })->{exit}, 'signal 9', 'a death in the step that acts');
my @unknown;
my ($resolved) = carry_on(\@unknown);
is_deeply(results($resolved), $want, 'which a person decides about');
is_deeply([ map { $_->{command}[0] } @unknown ], [qw(resume resolve resume resume)], 'what led it there');

# --- and with one ----------------------------------------------------------------------------------------------------------
my (%died, %by_resume);

sub is_whole {
    my ($place, $before, $after, $out, $unknown, $told, $was_unknown) = @_;
    is($after->{status}, 'done', 'it went on and is done') or diag explain $after;
    is_deeply(results($after), $want, 'with the same results');
    my %was = $before ? finished($before) : ();
    my %is = finished($after);
    for my $name (sort keys %was) {
        is_deeply($is{$name}, $was{$name}, "\"$name\" is as it was");
        unlike($out, qr/^RUN \Q$name\E$/m, "\"$name\" did not run again");
    }
    my ($tell) = grep { $_->{name} eq 'tell' } @{ $before ? $before->{steps} : [] };
    my $doubt = $tell && $tell->{acts} && $tell->{status} ne 'done' ? 1 : 0;
    is($unknown ? 1 : 0, $doubt, $doubt ? 'a person had to decide about what may have acted' : 'nothing was unknown');
    ok($doubt || $tell && $tell->{status} eq 'done' || !$told, 'what acted is known to have begun');
    is(told(), $doubt ? $told : 1, $doubt ? 'and it was not done again' : 'it acted once') unless $was_unknown;
    my @journal = grep { !/^(?:unknown|resolved)$/ } journal();
    is_deeply(\@journal, \@want_journal, 'the journal has each of it once');
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'and is whole');
    my $posts = posts();
    ok($posts->{asked} <= 1 && $posts->{told} <= 1, 'the channel was asked once, and told once') or diag explain $posts;
}

# False: it did not come to that place.
sub dies {
    my ($life, $place, $was_unknown) = @_;
    my @command = @{ $life->{command} };
    put_back($life->{at});
    $web->forget;
    # what the copy has waited for came, and what the step before did is done
    my $earlier = grep { $_->{name} eq 'tell' && $_->{status} eq 'done' } @{ (show() || { steps => [] })->{steps} };
    my $r = runbook($place, @command);
    return if $r->{exit} ne 'signal 9';
    my ($name) = $place =~ /^([\w-]+)/;
    $died{$name}++;
    push @{ $by_resume{$name} }, $life if $command[0] eq 'resume' && !$was_unknown;
    subtest "$command[0] dies at $place" => sub {
        my $told = told();
        my $before = show();
        my ($after, $out, $unknown) = carry_on();
        is_whole($place, $before, $after, $out, $unknown, $told, $was_unknown || $earlier);
    };
    return 1;
}

my @places = do {
    my %found;
    for my $file (glob 'core/store/runbook*.c') {
        open my $in, '<', $file or die "$file: $!";
        while (<$in>) { next if !/DAS_FAULT\((.*)\)/; $found{$_} = $file for $1 =~ /"([\w-]+)"/g }
    }
    sort keys %found;
};
cmp_ok(scalar @places, '>=', 31, 'the places are found');

for my $place (@places) {
    for my $life (@lives, @unknown) {
        my $was_unknown = grep { $_ == $life } @unknown;
        for my $n (1 .. ($sanitized ? 1 : 50)) { last if !dies($life, "$place:$n", $was_unknown) }
    }
}

# --- signals and cancels ---------------------------------------------------------------------------------------------------
my $slow = write_file("$s->{dir}/slow.lua", <<'LUA');
das.runbook{ name = "slow" }
das.step("first", function() return 1 end)
das.step("slow", function() das.sleep(60) return 2 end)
das.step("end", function() return "here" end)
LUA
my $empty = $lives[0]{at};

# The command, until the run is in the middle of its second step for the n-th time: that takes a minute of a clock that
# stands still.
sub in_the_middle {
    my ($fault, $n, @command) = @_;
    my $opt = $s->opt;
    my $run = das_start({ %$opt, env => { %{ $opt->{env} }, $fault ? (DAS_FAULT => $fault) : () } }, 'runbook', @command);
    ok(wait_for(sub { my $now = show(); $now && grep { $_->{name} eq 'slow' && $_->{attempts} == $n } @{ $now->{steps} } }, 30), 'it is in the middle of a step');
    return $run;
}
sub minute_is_over { my ($run) = @_; ok(wait_for(sub { Clock::forward(61); waitpid($run->{pid}, 1) > 0 }, 30), 'the minute is over') }

for my $place (qw(runbook-before-let-go runbook-let-go)) {
    subtest "SIGTERM, and dies at $place" => sub {
        put_back($empty);
        my $run = in_the_middle($place, 1, 'run', '-i', 'orders', $slow);
        kill 'TERM', $run->{pid};
        is(das_finish($run)->{exit}, 'signal 9', 'it died');
        $died{$place}++;
        is(show()->{status}, 'interrupted', 'it is interrupted');
        minute_is_over(in_the_middle('', 2, 'resume', 1));
        my $after = show();
        is($after->{status}, 'done', 'to its end');
        is_deeply(results($after), { first => 1, slow => 2, end => 'here' }, 'its results');
        is((grep { $_->{name} eq 'first' } @{ $after->{steps} })[0]{attempts}, 1, 'what was finished did not run again');
    };
}

for my $place (qw(cancel-before-commit cancelled)) {
    for my $life (@lives[ 1, 2, 4 ]) {
        put_back($life->{at});
        my $status = show()->{status};
        subtest "cancel of one that is $status dies at $place" => sub {
            is(runbook($place, 'cancel', 1, '--reason', 'enough')->{exit}, 'signal 9', 'it died');
            $died{$place}++;
            is(show()->{status}, $place eq 'cancelled' ? 'cancelled' : $status, 'all of it or nothing');
            is(runbook('', 'cancel', 1, '--reason', 'enough')->{exit}, $place eq 'cancelled' ? 5 : 0, 'once more') ;
            is(show()->{status}, 'cancelled', 'it is cancelled');
            is(runbook('', 'resume', 1)->{exit}, 5, 'and does not go on');
            is((grep { $_ eq 'cancel' } journal()), 1, 'the journal has it once');
        };
    }
    subtest "cancel of one that runs dies at $place" => sub {
        put_back($empty);
        my $run = in_the_middle('', 1, 'run', '-i', 'orders', $slow);
        is(runbook($place, 'cancel', 1, '--reason', 'enough')->{exit}, 'signal 9', 'it died');
        is(runbook('', 'cancel', 1, '--reason', 'enough')->{exit}, 0, 'once more') if $place ne 'cancelled';
        minute_is_over($run);
        my $after = show();
        is($after->{status}, 'cancelled', 'the run ends with its step');
        ok(!(grep { $_->{name} eq 'end' } @{ $after->{steps} }), 'before the next one');
        is(runbook('', 'resume', 1)->{exit}, 5, 'and does not go on');
    };
}

is_deeply([ grep { !$died{$_} } @places ], [], 'somebody has died at every place');

# --- das serve ---------------------------------------------------------------------------------------------------------------
# Dies at the place while it carries the run on, and another one takes over.
sub serve_dies {
    my ($place, $life) = @_;
    subtest "das serve dies at $place" => sub {
        put_back($life->{at});
        $web->forget;
        next_command(show());    # what it waits for comes
        my $earlier = grep { $_->{name} eq 'tell' && $_->{status} eq 'done' } @{ show()->{steps} };
        my $opt = $s->opt;
        is(das_finish(das_start({ %$opt, env => { %{ $opt->{env} }, DAS_FAULT => $place } }, 'serve'))->{exit}, 'signal 9', 'it died');
        my ($told, $before, $unknown) = (told(), show(), 0);
        $s->start;
        my $after;
        for (1 .. 8) {
            wait_for(sub { ($after = show())->{status} =~ /^(?:done|failed|unknown)$/
                || $after->{status} eq 'waiting' && grep { $_->{status} eq 'waiting' && $_->{wake_ms} > Clock::now_ms() } @{ $after->{steps} } }, 30)
                or last;
            last if $after->{status} =~ /done|failed/;
            $unknown ||= $after->{status} eq 'unknown';
            my @command = next_command($after);
            ok(wait_for(sub { posts()->{asked} == 1 }, 30), 'the channel is asked') if $command[0] eq 'answer';
            runbook('', @command) if $command[0] ne 'resume';
        }
        is_whole($place, $before, $after, '', $unknown, $told, $earlier);
        $s->stop;
    };
}
for my $place (sort keys %by_resume) {
    my %seen;
    my @at = grep { !$seen{ $_->{at} }++ } @{ $by_resume{$place} };
    @at = $at[0] if $sanitized;
    serve_dies($place, $_) for @at;
}
done_testing;
