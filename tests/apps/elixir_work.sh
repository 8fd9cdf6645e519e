# application: Elixir
# version: elixir --version
# needs: elixir
# set: matrix
elixir -e '1..1000 |> Task.async_stream(&(&1*&1)) |> Enum.reduce(0, fn {:ok,x},a -> x+a end) |> IO.puts; {o,c} = System.cmd("sh",["-c","echo hi; exit 3"]); IO.inspect({o,c}); File.write!("f","x"); IO.inspect File.stat!("f").size'; echo $?
