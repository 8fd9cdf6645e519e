# application: Erlang
# version: erl -noshell -eval 'io:format("~s", [element(2, file:read_file(code:root_dir() ++ "/releases/25/OTP_VERSION"))]), halt().'
# needs: erlang-base
# set: matrix
cat > e.erl <<'E'
-module(e).
-export([main/1]).
main(_) ->
  Self = self(),
  Pids = [spawn_link(fun() -> receive {add, N} -> Self ! {sum, N * N} end end) || _ <- lists:seq(1, 1000)],
  [P ! {add, N} || {P, N} <- lists:zip(Pids, lists:seq(1, 1000))],
  io:format("~p~n", [lists:sum([receive {sum, X} -> X end || _ <- Pids])]),
  io:format("~s", [os:cmd("echo from a shell; seq 3")]),
  Port = open_port({spawn, "cat"}, [stream]), Port ! {Self, {command, "to cat"}},
  receive {Port, {data, D}} -> io:format("~s~n", [D]) end,
  ok = file:write_file("f", "text"), {ok, B} = file:read_file("f"), io:format("~p ~p~n", [B, file:list_dir("nowhere")]),
  T = ets:new(t, [set, public]), [ets:insert(T, {K, K}) || K <- lists:seq(1, 100000)], io:format("~p~n", [ets:info(T, size)]),
  timer:sleep(20), {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, "sock"}}, {active, false}]),
  spawn_link(fun() -> {ok, C} = gen_tcp:connect({local, "sock"}, 0, [{active, false}]), gen_tcp:send(C, "hello") end),
  {ok, A} = gen_tcp:accept(L), {ok, M} = gen_tcp:recv(A, 5), io:format("~p~n", [M]), halt(3).
E
erlc e.erl && erl -noshell -noinput -s e main x; echo "exit $?"
