# application: OCaml
# version: ocamlopt -version
# needs: ocaml
# set: matrix
cat > m.ml <<'H'
let () = let r,w = Unix.pipe () in
 match Unix.fork () with 0 -> ignore (Unix.write_substring w "child" 0 5); exit 3
 | p -> let b = Bytes.create 9 in let n = Unix.read r b 0 9 in print_endline (Bytes.sub_string b 0 n);
  (match Unix.waitpid [] p with _, Unix.WEXITED c -> Printf.printf "%d\n" c | _ -> ()); 
  let t = List.init 4 (fun i -> Thread.create (fun () -> ignore (List.init 10000 (fun x -> x*i))) ()) in List.iter Thread.join t; Printf.printf "%d\n" (Gc.((quick_stat ()).compactions))
H
ocamlfind ocamlopt -package unix,threads.posix -linkpkg m.ml -o m 2>/dev/null || ocamlopt -I +unix -I +threads unix.cmxa threads.cmxa m.ml -o m; ./m; echo $?
