/* sluice: daemon - pool - worker protocol as the code does it (core/README.md 5).  Every option of a do is one atomic action; a
   daemon crash may fall between any two of them.  Each atomic marked COMMIT is one store transaction of the writer thread
   (core/sched/apply.c over core/store); the loop thread (core/daemon/poollink.c) gives it operations (wq) and gets effects back
   after the commit (lq), both in order; a crash empties both.  Pool: core/pool; worker: core/worker.
   All loops consume a bounded budget, so every execution is finite (checked: no cycle, -DNP -l) and "progress" is the
   assertion in init at timeout.  Budgets by -D, mutants by -DMUT=n (table in tests/model/run).                            */
#ifndef MUT
#define MUT 0
#endif
#ifndef NS
#define NS 1       /* steps of the one run (1 or 2)                              */
#endif
#ifndef NSLOT
#define NSLOT 1    /* worker slots                                               */
#endif
#ifndef NP
#define NP 2       /* pool instances over the whole history; two live at once    */
#endif
#ifndef NCRASH
#define NCRASH 1   /* kill -9 of the daemon                                      */
#endif
#ifndef NPC
#define NPC 0      /* crashes of a pool                                          */
#endif
#ifndef NWC
#define NWC 0      /* crashes of a worker                                        */
#endif
#ifndef NFAIL
#define NFAIL 0    /* commands that fail                                         */
#endif
#ifndef NHANG
#define NHANG 0    /* commands that never end by themselves                      */
#endif
#ifndef NDL
#define NDL 0      /* deadlines that fire on a command that would have ended     */
#endif
#ifndef NODL
#define NODL 0     /* 1: steps have no deadline, a hung one ends by cancel only   */
#endif
#ifndef NBRK
#define NBRK 0     /* a send in doubt, or not done: the daemon drops the connection */
#endif
#ifndef NUPG
#define NUPG 0     /* RETIRE orders                                              */
#endif
#ifndef NIDLE
#define NIDLE 0    /* idle pool without a daemon ends itself                     */
#endif
#ifndef NCAN
#define NCAN 0     /* cancel through the daemon                                  */
#endif
#ifndef NPCAN
#define NPCAN 0    /* shutdown --cancel to the pool while the daemon is down     */
#endif
#ifndef NREST
#define NREST 0    /* backup, later restore                                      */
#endif
#ifndef STAY
#define STAY 0     /* 1: the daemon may stay down for ever                       */
#endif
#ifndef MAXATT
#define MAXATT 2   /* attempts                                                   */
#endif
#ifndef CHAIN
#define CHAIN 0    /* 1: T1, T4 with a downstream run (step 1) and an outbox row, T5 */
#endif
#ifndef NSUB
#define NSUB 0     /* 1: the step's first OK means: submitted elsewhere, to be polled by further attempts until one says that it ended */
#endif
#ifndef E
#define E 6        /* tokens per epoch: token = epoch*E + counter                */
#endif
#define NT (E*(NREST+1))
#define W(i,s)   ((i)*NS+(s))
#define X(i,s,t) (((i)*NS+(s))*NT+(t))
#define BIT(t)   (1<<(t))
#define OK 1
#define FAIL 2
#define LOST 3
#define CANC 4
#define DEAD 5
mtype = { WAIT, READY, RUNNING, DONE, FAILED, CANCELLED,           /* step states */
          HELLO, JOB, KILL, ACK, RETIRE,                           /* daemon -> pool: five messages; JOB, KILL, ACK are effects too */
          RUN, OUT, END,                                           /* pool -> daemon: three messages; OUT is an operation too */
          UP, DOWN, GONE, UNL, EVT, SENT };                        /* operations: OP_POOL_UP, _DOWN, _GONE, OP_UNLEASE, T1, T5 */
/* ---- store (durable) ---- */
#if CHAIN
mtype st[NS] = WAIT;
#else
mtype st[NS] = READY;
#endif
byte tok[NS], inst[NS], att[NS], slots; bit cancel, rst;
bit sub[NS], bsub[NS], saw[NS];                                    /* NSUB: submitted; the backup; ghost: its end was reported */
bit ev, ob; byte nrun;                                             /* CHAIN: the event's record, the outbox row, runs made of the event */
mtype bst[NS]; byte btok[NS], binst[NS], batt[NS], bslots; bit bcancel, bk;       /* the backup */
/* ---- writer thread (volatile): struct sched_env ---- */
bit wup[NP], wset[NP]; byte wgen[NP];                              /* up: may be dispatched to; set: END applied or proven dead */
/* ---- loop thread (volatile) ---- conn: 0 none, 1 HELLO said, 2 END read, 3 a send failed */
bit up = 1, stay, dret[NP], told[NP], orph[NP*NS]; byte conn[NP], gen[NP], seen[NP*NS];
#if NS==1
#define Q 7
#else
#define Q 9
#endif
chan wq = [Q] of { mtype, byte, byte, byte, byte };                /* operations: i, then what belongs to them */
chan lq = [Q] of { mtype, byte, byte, byte, byte };                /* effects: i, step, token, generation */
bit slotlate, pre[NS]; byte prei[NS];                              /* used by mutants only */
/* ---- the outside: a client with one event, a receiver of notifications (CHAIN) ---- */
byte cli, nsent; bit req, sending, dsl;                            /* cli: 0 nothing sent, 1 waits, 2 has its 202 */
/* ---- pools ---- ent: 0 none, 1 runs, 2 kill ordered by cancel, 3 by deadline, 10+code outcome kept until ACK */
bit alive[NP], used[NP], ret[NP], pc[NP], clean[NP]; byte ent[NP*NS*NT], ne[NP];
chan dq[NP] = [6] of { mtype, byte, byte };  chan pq[NP] = [8] of { mtype, byte, byte, byte };
chan sq[NP] = [3] of { mtype, byte, byte };                                      /* mutant 3: frames of the old connection */
/* ---- workers: wk: 0 none, 1 runs, 2 publish sent, 3 reported, 9 hangs; cm: its command or a descendant lives ---- */
byte wk[NP*NS], wt[NP*NS], rq[NP*NS]; bit cm[NP*NS];
/* ---- sinks ---- ran: at_least_once effects; infl: publish requests in flight (outlive their worker) */
byte ran[NS], rows[NS]; short infl[NS];
/* ---- ghosts and budgets ---- */
bit calm = 1, crashed[NP], pcan[NS]; byte sta[NS], rept[NS], repc[NS], ctok[NS];
byte ncr, npc, nwc, nfail, nhang, ndl, nbrk, nupg, nidle, nrest, npcan;
#define current(i,s,t) (st[s]==RUNNING && tok[s]==(t) && inst[s]==(i))
#define busy(i,s)      (wk[W(i,s)] || (MUT!=10 && cm[W(i,s)]))
#define mine(i,s)      (wk[W(i,s)] || cm[W(i,s)])
#if NS==1
#define lockfree(i) (!alive[i] && !busy(i,0))
#define deadall(i)  (!mine(i,0))
#define cnt         (st[0]==RUNNING)
#else
#define lockfree(i) (!alive[i] && !busy(i,0) && !busy(i,1))
#define deadall(i)  (!mine(i,0) && !mine(i,1))
#define cnt         ((st[0]==RUNNING)+(st[1]==RUNNING))
#endif
#define settled(j)  (!used[j] || wset[j])
#if NP==2
#define livesteps(s) (mine(0,s) || mine(1,s))
#define allsettled   (settled(0) && settled(1))
#define nalive       (alive[0]+alive[1])
#else
#define livesteps(s) (mine(0,s) || mine(1,s) || mine(2,s))
#define allsettled   (settled(0) && settled(1) && settled(2))
#define nalive       (alive[0]+alive[1]+alive[2])
#endif
#define orphans(s)   (orph[W(0,s)] || orph[W(1,s)] || orph[W(NP-1,s)])
#define final(s)     (st[s]==DONE || st[s]==FAILED || st[s]==CANCELLED)
#define wroom        (len(wq) <= Q-2)        /* the code's queues are long; here frames leave room for effects */
#define droom        (len(wq) <= Q-5)
#define lroom        (len(lq) <= Q-2*NS)
inline flushd(i)  { do :: nempty(dq[i]) -> dq[i]?_,_,_ :: empty(dq[i]) -> break od }
inline flushp(i)  { do :: nempty(pq[i]) -> pq[i]?_,_,_,_ :: empty(pq[i]) -> break od }
inline sendd(i,m,s,t) { if :: alive[i] -> assert(nfull(dq[i])); dq[i]!m,s,t :: else fi }
inline sendp(i,m,s,t,c) { if :: pc[i] -> assert(nfull(pq[i])); pq[i]!m,s,t,c :: else fi }
inline op(z1,z2,z3,z4,z5) { assert(nfull(wq)); wq!z1,z2,z3,z4,z5 }
inline effect(z1,z2,z3,z4,z5) { assert(nfull(lq)); lq!z1,z2,z3,z4,z5 }
inline release() { if :: MUT==21 -> slotlate = 1 :: else -> slots--; assert(slots==cnt) fi }         /* (8) */
/* T3/T4: the outcome c of attempt t of step s, in the transaction of the operation */
inline judge(s,t,c) {
  assert(rept[s]!=t || repc[s]==c || crashed[inst[s]] || (repc[s]==FAIL && (c==CANC||c==DEAD)));     /* (1) */
  if :: NSUB && !sub[s] && c==OK -> sub[s] = 1; st[s] = READY                                        /* T-submit: to be polled */
     :: sub[s] && c==OK -> saw[s] = 1; if :: cancel -> st[s] = CANCELLED :: st[s] = DONE fi           /* its end: as it was asked, or not */
     :: sub[s] && c!=OK && MUT!=70 -> st[s] = READY                                                  /* nothing was learnt: asked again */
     :: !(NSUB && !sub[s] && c==OK) && !(sub[s] && (c==OK || MUT!=70)) && c==OK -> st[s] = DONE; assert(rows[s]==1);                                                   /* (4) */
                 if :: CHAIN && s==0 -> if :: MUT==62 -> dsl = 1 :: else -> st[NS-1] = READY fi; ob = 1 :: else fi
     :: c==CANC && (!sub[s] || MUT==70) -> st[s] = CANCELLED
     :: else -> att[s]++;
        if :: cancel && MUT!=29 -> st[s] = CANCELLED
           :: else -> if :: att[s] < MAXATT -> st[s] = READY :: else -> st[s] = FAILED fi fi fi;
  release() }
/* UNLEASE: the pool never had it, no attempt is used */
inline unlease(s) { assert(sta[s]!=tok[s]);
  if :: MUT==7 -> judge(s,tok[s],LOST) :: else -> st[s] = ((cancel && (!sub[s] || MUT==71)) -> CANCELLED : READY); release() fi }
inline start(i,s,t) {                     /* pool hands the noted job to a worker; the worker claims the fence */
  assert(!livesteps(s) && (wt[W(i,s)]==t || ent[X(i,s,wt[W(i,s)])]==0 || ent[X(i,s,wt[W(i,s)])]>=10)); /* (3) */
  assert(!calm || ran[s]==0 || sub[s]);                                                              /* (2) */
  assert(sub[s] || (!(cancel && t > ctok[s]) && !pcan[s]));                                                      /* (6) */
  assert(!(infl[s] & BIT(t)));            /* a token names one attempt for ever, zombies at the sink included */
  wk[W(i,s)] = 1; wt[W(i,s)] = t; cm[W(i,s)] = 1; sta[s] = t; ran[s]++ }
inline dcrash() {                         /* kill -9: volatile state and unread frames to the daemon are gone */
  up = 0; ncr++;
  for (k : 0 .. NP-1) { conn[k] = 0; gen[k] = 0; pc[k] = 0; dret[k] = 0; told[k] = 0; wup[k] = 0; wset[k] = 0; wgen[k] = 0; flushp(k) }
  for (k : 0 .. NS-1) { pre[k] = 0; prei[k] = 0 }
  for (k : 0 .. NP*NS-1) { orph[k] = 0; seen[k] = 0 }
  do :: nempty(wq) -> wq?_,_,_,_,_ :: empty(wq) -> break od;
  do :: nempty(lq) -> lq?_,_,_,_,_ :: empty(lq) -> break od;
  req = 0; sending = 0; dsl = 0; slotlate = 0; k = 0 }

active proctype life() { byte k;          /* the daemon's life, a client's cancel, backup and restore */
  end: do
  :: atomic { up && ncr < NCRASH -> dcrash(); if :: STAY -> stay = 1 :: skip fi }
  :: atomic { !up && !stay -> up = 1 }
  :: atomic { up && NCAN && !cancel && lroom -> calm = 0; cancel = 1;                                 /* COMMIT OP_CANCEL */
      for (k : 0 .. NS-1) { ctok[k] = tok[k]; if :: st[k]==READY && MUT!=19 && !sub[k] -> st[k] = CANCELLED
                               :: st[k]==RUNNING && !sub[k] -> effect(KILL,inst[k],k,tok[k],0) :: else fi } k = 0 }
  :: atomic { NREST && up && !bk && !nrest -> bk = 1; bslots = slots; bcancel = cancel;
      for (k : 0 .. NS-1) { bst[k] = st[k]; btok[k] = tok[k]; binst[k] = inst[k]; batt[k] = att[k]; bsub[k] = sub[k] } k = 0 }
  :: atomic { !up && bk && nrest < NREST -> nrest++; bk = 0; calm = 0; slots = bslots; cancel = bcancel; rst = 1;
      for (k : 0 .. NS-1) { st[k] = bst[k]; inst[k] = binst[k]; att[k] = batt[k]; sub[k] = bsub[k];
        tok[k] = (MUT==23 -> btok[k] : nrest*E) } k = 0 }
  :: atomic { up && rst && allsettled && (MUT==25 || (!orphans(0) && !orphans(NS-1))) -> rst = 0 }     /* COMMIT: resume allowed */
  :: atomic { up && slotlate -> slotlate = 0; slots-- }
  :: atomic { up && dsl -> dsl = 0; st[NS-1] = READY }                                                /* mutant 62 */
  od }
active proctype writer() { mtype m; byte i, a, b, c, s, t;
  end: do
  :: atomic { up && nempty(wq) && lroom -> wq?m,i,a,b,c;                                              /* COMMIT, one operation */
      if
      :: m==OUT -> if :: current(i,a,b) || (MUT==14 && st[a]==RUNNING) -> judge(a,b,c); if :: MUT!=1 -> effect(ACK,i,a,b,0) :: else fi
                      :: else -> orph[W(i,a)] = 0; if :: MUT!=22 && MUT!=1 -> effect(ACK,i,a,b,0) :: else fi fi
      :: m==UP -> for (s : 0 .. NS-1) { t = (s==0 -> a : b);
            if :: t && !current(i,s,t) && MUT!=37 -> assert(NREST || MUT); orph[W(i,s)] = 1; effect(KILL,i,s,t,0) :: else fi;
            if :: st[s]==RUNNING && (inst[s]==i || MUT==5) && tok[s]!=t && MUT!=6 && !(MUT==37 && c>100) -> unlease(s)
               :: st[s]==RUNNING && inst[s]==i && tok[s]==t && cancel && MUT!=20 && !sub[s] -> effect(KILL,i,s,t,0)
               :: else -> assert(MUT || st[s]!=RUNNING || inst[s]!=i || !alive[i] || ent[X(i,s,tok[s])]) fi }         /* (8) */
          wset[i] = 1; wup[i] = !(c & 1); wgen[i] = (c%100)/2
      :: m==DOWN -> wup[i] = 0
      :: m==GONE -> for (s : 0 .. NS-1) { orph[W(i,s)] = 0;
            if :: st[s]==RUNNING && inst[s]==i ->
                  if :: a && MUT!=18 -> unlease(s)                       /* orderly end: it never had the job */
                     :: else -> assert(deadall(i));                                                   /* (7) */
                        assert(!conn[i] || repc[s]!=OK || !(pq[i]??[OUT,eval(s),eval(tok[s]),OK]));   /* (1) */
                        judge(s,tok[s],LOST) fi
               :: else fi }
          wup[i] = 0; wset[i] = 1
      :: m==UNL -> if :: st[a]==RUNNING && (tok[a]==b || MUT==46) && inst[a]==i -> unlease(a) :: else fi
      :: m==EVT -> if :: !ev || MUT==61 -> ev = 1; nrun++; assert(nrun<=1); st[0] = READY :: else fi;  /* T1: identity, no overwrite */
          effect(EVT,0,0,0,0)                                                                        /* the reply: 202 */
      :: m==SENT -> ob = 0
      fi; m = 0; i = 0; a = 0; b = 0; c = 0; s = 0; t = 0 }
  od }
proctype dispatch(byte s) { byte i;       /* the writer, at the end of a batch: DISPATCH of one step */
  end: do
  :: atomic { up && st[s]==READY && slots < NSLOT && (!cancel || sub[s] || MUT==19) && (!rst || MUT==24) && !pre[s] && lroom &&
        (wup[0] || wup[1] || wup[NP-1]) ->
      if :: wup[0] -> i = 0 :: wup[1] -> i = 1 :: wup[NP-1] -> i = NP-1 fi;
#if MUT==8
      pre[s] = 1; prei[s] = i; sendd(i,JOB,s,tok[s]+1); i = 0 }
  :: atomic { up && pre[s] -> pre[s] = 0; st[s] = RUNNING; tok[s]++; inst[s] = prei[s]; prei[s] = 0; slots++ }
#else
      st[s] = RUNNING; tok[s]++; inst[s] = i; slots++; effect(JOB,i,s,tok[s],wgen[i]);                /* COMMIT */
      assert(!cancel || sub[s]);                                                                     /* (6) */
      assert(tok[s] < NT && tok[s]%E != 0 && slots==cnt);
      i = 0 }
#endif
  od }
/* The loop gives a connection up: what the pool still sends on it is not read. */
#define drop(i) conn[i] = 0; pc[i] = 0; flushp(i); for (k : 0 .. NS-1) { seen[W(i,k)] = 0 } k = 0
active proctype loop() { mtype m; byte i, s, t, g, k; /* effects after the commit */
  end: do
  :: atomic { up && nempty(lq) && wroom -> lq?m,i,s,t,g;
      if
      :: m==JOB && conn[i]==2 && (gen[i]==g || MUT==45) && alive[i] ->                               /* hand over, on that connection alone */
          if :: sendd(i,JOB,s,t)
             :: nbrk < NBRK -> nbrk++; sendd(i,JOB,s,t); drop(i); op(DOWN,i,0,0,0)                    /* in doubt: END judges */
             :: nbrk < NBRK -> nbrk++; drop(i); op(DOWN,i,0,0,0); op(UNL,i,s,t,0)                     /* certainly not sent */
          fi
      :: m==JOB && conn[i]==2 && (gen[i]==g || MUT==45) && !alive[i] ->                              /* EPIPE: what is left is read, then DOWN */
          if :: MUT!=34 -> conn[i] = 3; op(DOWN,i,0,0,0) :: else fi; op(UNL,i,s,t,0)
      :: m==JOB && !(conn[i]==2 && (gen[i]==g || MUT==45)) -> op(UNL,i,s,t,0)                         /* of an older connection: never sent */
      :: m==EVT -> if :: cli==1 -> cli = 2 :: else fi
      :: (m==ACK || m==KILL) && conn[i] -> sendd(i,m,s,t)
      :: (m==ACK || m==KILL) && !conn[i] -> skip                                                      /* told again after the next HELLO */
      fi; m = 0; i = 0; s = 0; t = 0; g = 0 }
  :: atomic { CHAIN && up && req && wroom -> req = 0; if :: MUT==60 && cli==1 -> cli = 2 :: else fi; op(EVT,0,0,0,0) }
  :: atomic { CHAIN && up && ob && !sending -> sending = 1 }                                          /* read from the store */
  :: atomic { CHAIN && up && sending && wroom && !(wq??[SENT,0,0,0,0]) -> assert(st[0]==DONE);                      /* nothing before its commit */
      if :: MUT==63 -> op(SENT,0,0,0,0); sending = 0 :: else -> if :: nsent<3 -> nsent++ :: else fi; op(SENT,0,0,0,0); sending = 0 fi }
  od }
active proctype client() {                /* one event, sent until it is acknowledged */
  end: do
  :: atomic { CHAIN && up && cli==0 -> cli = 1; req = 1 }
  :: atomic { CHAIN && up && cli==1 && !req && !(wq??[EVT,0,0,0,0]) -> req = 1 }                      /* the connection broke: again */
  od }
proctype dconn(byte i) { byte s, t, c, k; mtype m;   /* the loop's connection to instance i */
  end: do
  :: atomic { up && conn[i]==0 && alive[i] && !told[i] && droom -> conn[i] = 1; pc[i] = 0; gen[i]++;
      if :: flushd(i)                                          /* pool closes the old connection unread ... */
         :: !(dq[i]??[HELLO,0,0]) -> skip                      /* ... or reads it to its end, before answering HELLO */
#if MUT==3
         :: nempty(dq[i]) -> do :: dq[i]?m,s,t -> if :: m==JOB -> sq[i]!m,s,t :: else fi :: empty(dq[i]) -> break od
#endif
      fi;
      for (s : 0 .. NS-1) { seen[W(i,s)] = 0 }
      if :: MUT==4 -> op(UP,i,0,0,gen[i]*2) :: MUT==37 -> op(UP,i,0,0,100+gen[i]*2) :: else fi;
      sendd(i,HELLO,0,0); s = 0; t = 0; m = 0 }
  :: atomic { up && conn[i] && nempty(pq[i]) && droom -> pq[i]?m,s,t,c;
      if
      :: m==RUN -> seen[W(i,s)] = t
      :: m==OUT -> if :: MUT==1 -> sendd(i,ACK,s,t) :: else fi; op(OUT,i,s,t,c)
      :: m==END -> conn[i] = 2; dret[i] = c;
#if NS==1
          op(UP,i,seen[i],0,gen[i]*2+c)
#else
          op(UP,i,seen[W(i,0)],seen[W(i,1)],gen[i]*2+c)
#endif
      fi; s = 0; t = 0; c = 0; m = 0 }
  :: atomic { up && conn[i] && !alive[i] && empty(pq[i]) && droom ->                                  /* EOF, after the last frame */
      if :: conn[i]!=3 && MUT!=34 -> op(DOWN,i,0,0,0) :: else fi; drop(i) }
  :: atomic { up && conn[i]==2 && nbrk < NBRK && droom -> nbrk++; drop(i); op(DOWN,i,0,0,0) }             /* given up for another reason */
  :: atomic { up && used[i] && !told[i] && droom &&                                                   /* its lock is tried */
        ((conn[i]==0 && !alive[i] && (MUT==9 || lockfree(i))) || (MUT==31 && lockfree(i)) || (MUT==32 && conn[i]==1)) ->
      told[i] = 1; op(GONE,i,clean[i],0,0) }
  :: atomic { up && conn[i]==2 && !dret[i] && nupg < NUPG && droom -> nupg++; dret[i] = 1; sendd(i,RETIRE,0,0); op(DOWN,i,0,0,0) }
  od }
proctype pool(byte i) { byte s, t; mtype m;
  end: do
  :: atomic { !used[i] && nalive < 2 && (i==0 || (used[i-1] && (!alive[i-1] || ret[i-1]))) -> used[i] = 1; alive[i] = 1 }
  :: atomic { alive[i] && (nempty(dq[i]) || nempty(sq[i])) ->
      if :: nempty(dq[i]) -> dq[i]?m,s,t :: nempty(sq[i]) -> sq[i]?m,s,t fi;
      if
      :: m==HELLO && conn[i]==1 -> pc[i] = 1;                  /* the listing and END are one block of frames */
          for (s : 0 .. NS-1) { for (t : 0 .. NT-1) {
            if :: ent[X(i,s,t)]>=10 -> sendp(i,OUT,s,t,ent[X(i,s,t)]-10) :: ent[X(i,s,t)] && ent[X(i,s,t)]<10 -> sendp(i,RUN,s,t,0) :: else fi } }
          sendp(i,END,0,0,ret[i])
      :: m==JOB -> assert(ent[X(i,s,t)]==0); ent[X(i,s,t)] = 1; ne[i]++; start(i,s,t)
      :: m==KILL && ent[X(i,s,t)]==1 -> ent[X(i,s,t)] = 2
      :: m==ACK && ent[X(i,s,t)]>=10 -> ent[X(i,s,t)] = 0; ne[i]--
      :: m==RETIRE -> ret[i] = 1
      :: else -> skip                                          /* KILL or ACK of what is over or unknown */
      fi; s = 0; t = 0; m = 0 }
  :: atomic { alive[i] && ret[i] && (ne[i]==0 || (MUT==15 && deadall(i))) -> goto bye }               /* retired and empty */
  :: atomic { alive[i] && nidle < NIDLE && !pc[i] && (ne[i]==0 || (MUT==17 && deadall(i))) -> nidle++; goto bye }
  :: atomic { alive[i] && npc < NPC -> npc++; calm = 0; crashed[i] = 1; goto gone }                   /* kill -9 of the pool */
  :: atomic { alive[i] && !up && npcan < NPCAN && ne[i] -> npcan++; calm = 0;                         /* shutdown --cancel */
      for (s : 0 .. NS-1) { for (t : 0 .. NT-1) { if :: ent[X(i,s,t)]==1 -> ent[X(i,s,t)] = 2; pcan[s] = 1 :: else fi } } s = 0; t = 0 }
  :: atomic { false -> bye: clean[i] = 1;                      /* mark in the lock file, then exit */
      gone: alive[i] = 0; pc[i] = 0; ne[i] = 0; flushd(i);
      for (s : 0 .. NS-1) { rq[W(i,s)] = 0; if :: crashed[i] -> pcan[s] = 0 :: else fi; for (t : 0 .. NT-1) { ent[X(i,s,t)] = 0 } } s = 0; t = 0 }
  od }

#define EN ent[X(i,s,wt[w])]
inline report(c) { rq[w] = c; wk[w] = 3; rept[s] = wt[w]; repc[s] = c; if :: MUT==12 :: else -> cm[w] = 0 fi }
inline outcome(c) { EN = 10+(c); sendp(i,OUT,s,wt[w],(c)); if :: MUT==2 && pc[i] -> EN = 0; ne[i]-- :: else fi }
proctype attempt(byte i; byte s) { byte w = W(i,s), c;   /* worker, its command, and what the pool does about them */
  end: do
  /* worker */
  :: atomic { wk[w]==1 -> infl[s] = infl[s] | BIT(wt[w]); wk[w] = 2 }
  :: atomic { wk[w]==2 && !(infl[s] & BIT(wt[w])) -> if :: rows[s] -> report(OK) :: else -> report(FAIL) fi }
  :: atomic { wk[w]==1 && (nfail < NFAIL || EN==2) -> if :: EN==2 :: else -> nfail++; calm = 0 fi; report(FAIL) }  /* fails, or TERM */
  :: atomic { wk[w]==1 && nhang < NHANG -> nhang++; calm = 0; wk[w] = 9 }
  :: atomic { wk[w] && nwc < NWC -> nwc++; calm = 0; wk[w] = 0 }           /* worker dies: command is a stray, report stays readable */
  :: atomic { !alive[i] && wk[w] -> wk[w] = 0 }                            /* PDEATHSIG */
  :: atomic { !alive[i] && !wk[w] && cm[w] && !(MUT==54 && nhang) -> cm[w] = 0 }   /* killed by cgroup or by the next pool */
  /* pool */
  :: atomic { alive[i] && EN && EN<10 && rq[w] ->                          /* report read: success wins over a kill order */
      c = ((EN==1 || (rq[w]==OK && MUT!=43) || MUT==33) -> rq[w] : (EN==2 -> CANC : DEAD)); rq[w] = 0; wk[w] = 0; outcome(c); c = 0 }
  :: atomic { alive[i] && (EN==2 || EN==3) && wk[w] -> wk[w] = 0 }         /* SIGKILL of the worker */
  :: atomic { alive[i] && EN && EN<10 && !wk[w] && (!rq[w] || MUT==13) ->  /* exit: strays gone, socket drained, then told */
      if :: MUT==11 :: else -> cm[w] = 0 fi; rq[w] = 0;
      c = (EN==1 -> LOST : (EN==2 -> CANC : DEAD)); outcome(c); c = 0 }
  :: atomic { alive[i] && EN==1 && ((wk[w]==9 && !NODL) || (wk[w] && wk[w]!=9 && ndl < NDL)) && (MUT!=28 || pc[i]) ->        /* deadline */
      if :: wk[w]!=9 -> ndl++; calm = 0 :: else fi; EN = 3 }
  :: atomic { alive[i] && !wk[w] && cm[w] && !(EN && EN<10) -> cm[w] = 0 } /* mutants 11, 12: stray dies late */
  od }
/* publish at the ledgered sink: one transaction there; fence = highest token that claimed (sta) */
#define PUB(x) :: atomic { NT>x && (infl[s] & BIT(x)) -> infl[s] = infl[s] & ~BIT(x); \
   if :: x < sta[s] && MUT!=26 -> skip :: else -> if :: rows[s] && MUT!=27 -> skip :: else -> \
      assert(x==sta[s]); rows[s]++; assert(rows[s]<=1) fi fi }
proctype sink(byte s) { end: do PUB(1) PUB(2) PUB(3) PUB(4) PUB(5) PUB(6) PUB(7) PUB(8) PUB(9) PUB(10) PUB(11) od }
init { byte i, s;
  atomic { for (s : 0 .. NS-1) { run dispatch(s); run sink(s); for (i : 0 .. NP-1) { run attempt(i,s) } }
           for (i : 0 .. NP-1) { run dconn(i); run pool(i) } i = 0; s = 0 }
  timeout ->                                                   /* nothing can move any more: the end of an execution */
  atomic { for (s : 0 .. NS-1) {
      assert(!up || final(s) || (NODL && !cancel && !npcan && nhang) || (CHAIN && s && st[0]!=DONE && final(0)));      /* (5) */
      assert(!up || !calm || (st[s]==DONE && (ran[s]==1 || sub[s]) && att[s]==0));                   /* (2) */
      assert(!up || !sub[s] || saw[s]);                        /* (10) work elsewhere ends by its own end, whatever dies meanwhile */
      assert(st[s]!=DONE || rows[s]==1);                                                             /* (4) */
      assert(!livesteps(s) || NODL) }                                          /* (7); deadline with the daemon down */
    assert(!up || !CHAIN || (cli==2 && ev && !ob && (st[0]!=DONE || nsent)));                                          /* (9) */
    assert(cli!=2 || ev);                                                                          /* (9) what was acknowledged is there */
    assert(!up || slots==0 || NODL);                                                                       /* (8) */
    for (i : 0 .. NP-1) { assert(!up || !alive[i] || ne[i]==0 || NODL) } } }                                 /* no report kept for ever */
